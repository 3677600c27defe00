//! What happens to callbacks between the socket and the hand-over.

use super::metrics::{Metric, Metrics, Row};
use super::refusals::Refusals;
use super::seldom::Seldom;
use crate::model::AccountName;
use ::metrics::{Counter, Gauge, Histogram};
use std::sync::Arc;
use std::time::Duration;

static OUTCOMES: Metric<Counter, 2> = Metric::counter(
    "bridge8890_callbacks_total",
    &["account", "outcome"],
    "Callbacks answered: accepted, duplicate, busy, refused, unreadable, too_large, too_slow, cut_off, wrong_method or encoding.",
);
static RESPONSES: Metric<Counter, 2> = Metric::counter(
    "bridge8890_callback_responses_total",
    &["account", "class"],
    "HTTP answers to callbacks by class of status: 2xx, 3xx, 4xx or 5xx.",
);
static REFUSED: Metric<Counter, 2> = Metric::counter(
    "bridge8890_callbacks_refused_total",
    &["account", "reason"],
    "Callbacks not believed, by reason: of these nothing is stored.",
);
static BUSY: Metric<Counter, 2> = Metric::counter(
    "bridge8890_callbacks_busy_total",
    &["account", "reason"],
    "Callbacks told to come back later, by reason.",
);
static DURATION: Metric<Histogram, 1> = Metric::histogram(
    "bridge8890_callback_duration_seconds",
    &["account"],
    "Time from the end of a callback's headers to its answer.",
);
static UNDER_WAY: Metric<Gauge, 0> =
    Metric::gauge("bridge8890_callbacks_under_way", &[], "Callbacks being worked on now.");
static UNKNOWN: Metric<Counter, 1> = Metric::counter(
    "bridge8890_requests_unknown_total",
    &["what"],
    "Requests for an account that is not configured, or for another path.",
);

/// Rows of `docs/METRICS.md`.
pub(super) const TABLE: &[&Row] = &[
    &OUTCOMES.row,
    &RESPONSES.row,
    &REFUSED.row,
    &BUSY.row,
    &DURATION.row,
    &UNDER_WAY.row,
    &UNKNOWN.row,
];

/// A counter for each of a few names known at start.
#[derive(Debug)]
struct Named(Box<[(&'static str, Counter)]>);

impl Named {
    fn new(names: &[&'static str], counter: impl Fn(&'static str) -> Counter) -> Named {
        Named(names.iter().map(|name| (*name, counter(name))).collect())
    }

    fn count(&self, name: &'static str) {
        if let Some((_, counter)) = self.0.iter().find(|(known, _)| *known == name) {
            counter.increment(1);
        }
    }
}

/// The reasons that other layers count by; their types are not known here.
#[derive(Debug, Clone, Copy)]
pub struct Reasons<'a> {
    /// Why a callback is not believed.
    pub refused: &'a [&'static str],
    /// Why one is told to come back.
    pub busy: &'a [&'static str],
}

/// The handles of one account.
#[derive(Debug)]
pub struct AccountTelemetry {
    account: AccountName,
    /// For the ledger: whatever is not stored counts.
    refusals: Refusals,
    accepted: Counter,
    duplicate: Counter,
    busy: Counter,
    busy_reasons: Named,
    busy_log: Seldom,
    refused: Counter,
    refused_reasons: Named,
    refused_log: Seldom,
    unreadable: Counter,
    too_large: Counter,
    too_large_log: Seldom,
    too_slow: Counter,
    too_slow_log: Seldom,
    cut_off: Counter,
    wrong_method: Counter,
    encoding: Counter,
    /// By the first digit of the status, from 2.
    classes: [Counter; 4],
    duration: Histogram,
}

impl AccountTelemetry {
    /// The handles of an account.
    #[must_use]
    pub fn new(
        metrics: &Metrics,
        account: &AccountName,
        reasons: Reasons<'_>,
        refusals: &Refusals,
    ) -> AccountTelemetry {
        let name = account.as_str();
        let outcome = |outcome| metrics.counter(&OUTCOMES, [name, outcome]);
        AccountTelemetry {
            account: account.clone(),
            refusals: refusals.clone(),
            accepted: outcome("accepted"),
            duplicate: outcome("duplicate"),
            busy: outcome("busy"),
            busy_reasons: Named::new(reasons.busy, |why| metrics.counter(&BUSY, [name, why])),
            busy_log: Seldom::new(),
            refused: outcome("refused"),
            refused_reasons: Named::new(reasons.refused, |why| {
                metrics.counter(&REFUSED, [name, why])
            }),
            refused_log: Seldom::new(),
            unreadable: outcome("unreadable"),
            too_large: outcome("too_large"),
            too_large_log: Seldom::new(),
            too_slow: outcome("too_slow"),
            too_slow_log: Seldom::new(),
            cut_off: outcome("cut_off"),
            wrong_method: outcome("wrong_method"),
            encoding: outcome("encoding"),
            classes: ["2xx", "3xx", "4xx", "5xx"]
                .map(|class| metrics.counter(&RESPONSES, [name, class])),
            duration: metrics.histogram(&DURATION, [name]),
        }
    }

    /// It was committed.
    pub fn accepted(&self) {
        self.accepted.increment(1);
    }

    /// It had been committed before.
    pub fn duplicate(&self) {
        self.duplicate.increment(1);
    }

    /// It was told to come back.
    pub fn busy(&self, reason: &'static str) {
        self.busy.increment(1);
        self.refusals.count(&self.account, reason);
        self.busy_reasons.count(reason);
        if let Some(held_back) = self.busy_log.now() {
            let account = self.account.as_str();
            tracing::warn!(account, reason, held_back, "callback told to come back later");
        }
    }

    /// It was not believed.
    pub fn refused(&self, reason: &'static str) {
        self.refused.increment(1);
        self.refusals.count(&self.account, reason);
        self.refused_reasons.count(reason);
        if let Some(held_back) = self.refused_log.now() {
            let account = self.account.as_str();
            tracing::warn!(account, reason, held_back, "callback refused");
        }
    }

    /// It was believed, and told that it cannot be read.
    pub fn unreadable(&self) {
        self.unreadable.increment(1);
        self.refusals.count(&self.account, "unreadable");
    }

    /// Its body is, or says it is, larger than the cap.
    pub fn too_large(&self, cap: usize) {
        self.too_large.increment(1);
        self.refusals.count(&self.account, "too_large");
        if let Some(held_back) = self.too_large_log.now() {
            let account = self.account.as_str();
            tracing::warn!(account, cap, held_back, "callback's body is over the cap");
        }
    }

    /// Its body did not come in time.
    pub fn too_slow(&self) {
        self.too_slow.increment(1);
        self.refusals.count(&self.account, "too_slow");
        if let Some(held_back) = self.too_slow_log.now() {
            let account = self.account.as_str();
            tracing::warn!(account, held_back, "callback's body did not come in time");
        }
    }

    /// Its peer went away before the end of the body.
    pub fn cut_off(&self) {
        self.cut_off.increment(1);
        self.refusals.count(&self.account, "cut_off");
    }

    /// It came by a method that its carrier does not use.
    pub fn wrong_method(&self) {
        self.wrong_method.increment(1);
        self.refusals.count(&self.account, "wrong_method");
    }

    /// Its body came in an encoding that the account does not take.
    pub fn encoding(&self) {
        self.encoding.increment(1);
        self.refusals.count(&self.account, "encoding");
    }

    /// It was answered.
    pub fn answered(&self, status: u16, took: Duration) {
        let class = usize::from(status / 100).saturating_sub(2);
        if let Some(counter) = self.classes.get(class) {
            counter.increment(1);
        }
        self.duration.record(took);
    }
}

/// The handles that belong to no account.
#[derive(Debug, Clone)]
pub struct IngressTelemetry(Arc<Handles>);

#[derive(Debug)]
struct Handles {
    under_way: Gauge,
    unknown_account: Counter,
    unknown_account_log: Seldom,
    unknown_path: Counter,
}

impl IngressTelemetry {
    /// The handles.
    #[must_use]
    pub fn new(metrics: &Metrics) -> IngressTelemetry {
        IngressTelemetry(Arc::new(Handles {
            under_way: metrics.gauge(&UNDER_WAY, []),
            unknown_account: metrics.counter(&UNKNOWN, ["account"]),
            unknown_account_log: Seldom::new(),
            unknown_path: metrics.counter(&UNKNOWN, ["path"]),
        }))
    }

    /// A callback is being worked on.
    pub fn begun(&self) {
        self.0.under_way.increment(1);
    }

    /// It is not any more.
    pub fn ended(&self) {
        self.0.under_way.decrement(1);
    }

    /// A callback for an account that is not configured. The name is the peer's and not logged.
    pub fn unknown_account(&self) {
        self.0.unknown_account.increment(1);
        if let Some(held_back) = self.0.unknown_account_log.now() {
            tracing::warn!(held_back, "callback for an account that is not configured");
        }
    }

    /// A request for something else than a callback.
    pub fn unknown_path(&self) {
        self.0.unknown_path.increment(1);
    }
}
