//! `carrier show`: how a carrier or an account speaks, as its own engineers need to know it.

use super::sends::Sends;
use crate::config::dialect::{
    self, AnswerForm, Check, Dialect, EventRule, Format, Piece, Route, RuleKind, Scheme, Steps,
    Template, Transport,
};
use crate::config::{self, Account, show_duration, show_size};
use anyhow::{anyhow, bail};
use serde::Serialize;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Shows how a carrier speaks: addresses, dialect, what proves it, what we answer, limits, sending.
///
/// With a configuration, NAME may also be an account of it, which may have keys of its own.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bridge8890 carrier show twilio
  bridge8890 carrier show twilio --toml > twilio.toml     to start one of your own
  bridge8890 carrier show city-sms --config gateway.toml")]
pub(super) struct Args {
    /// A carrier's key, or an account of the configuration.
    name: String,
    /// The configuration file, for accounts.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The built-in file of the carrier, as it is written.
    #[arg(long, conflicts_with = "json")]
    toml: bool,
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Shown {
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    carrier: String,
    title: String,
    reference: String,
    patience: String,
    transport: &'static str,
    routes: Vec<ShownRoute>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sends: Option<Sends>,
}

#[derive(Debug, Serialize)]
struct ShownRoute {
    url: String,
    methods: Vec<String>,
    formats: Vec<&'static str>,
    max_body: String,
    max_items: usize,
    trust: &'static str,
    proof: Vec<String>,
    says: Vec<ShownRule>,
    answers: Vec<ShownAnswer>,
    /// What a call is told, where the carrier asks us for its next step.
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<ShownSteps>,
}

#[derive(Debug, Serialize)]
struct ShownSteps {
    within: String,
    content_type: Option<String>,
    ask: String,
    record: String,
    end: String,
    say: String,
    play: String,
}

#[derive(Debug, Serialize)]
struct ShownRule {
    name: String,
    kind: &'static str,
    items: String,
    when: Vec<String>,
    dedupe: Vec<String>,
}

#[derive(Debug, Serialize)]
struct ShownAnswer {
    to: &'static str,
    status: u16,
    content_type: Option<String>,
    body: String,
}

/// Runs the command.
pub(super) fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    if args.toml {
        let Some(text) =
            config::built_in().find(|(key, _)| *key == args.name).map(|(_, text)| text)
        else {
            bail!("there is no carrier {:?}; `bridge8890 carrier list` names them", args.name);
        };
        write!(out, "{text}")?;
        return Ok(ExitCode::SUCCESS);
    }
    let shown = find(args)?;
    if args.json {
        serde_json::to_writer_pretty(&mut *out, &shown)?;
        writeln!(out)?;
    } else {
        print(&shown, out)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn find(args: &Args) -> anyhow::Result<Shown> {
    let config = args.config.as_deref().map(|path| config::load(Some(path))).transpose()?;
    let account = config
        .as_ref()
        .and_then(|config| config.accounts.values().find(|it| it.name.as_str() == args.name));
    if let Some(account) = account {
        return Ok(show(&account.dialect, Some(account)));
    }
    let dialect = config::load_built_in(&args.name);
    let dialect = dialect.ok_or_else(|| {
        anyhow!(
            "there is no carrier or account {:?}; `bridge8890 carrier list` names the carriers, \
             and --config FILE brings accounts",
            args.name
        )
    })?;
    Ok(show(&dialect, None))
}

fn show(dialect: &Dialect, account: Option<&Account>) -> Shown {
    Shown {
        account: account.map(|account| account.name.to_string()),
        carrier: dialect.carrier.clone(),
        title: dialect.title.clone(),
        reference: dialect.reference.clone(),
        patience: dialect.patience.clone(),
        transport: match dialect.transport {
            Transport::Http => "http",
            Transport::WebSocket => "websocket",
        },
        routes: dialect.routes.iter().map(|route| show_route(route, account)).collect(),
        sends: Sends::of(dialect),
    }
}

fn show_route(route: &Route, account: Option<&Account>) -> ShownRoute {
    let named = |format: &Format| {
        Format::NAMES.iter().find(|(_, known)| known == format).map_or("", |(name, _)| *name)
    };
    let answers = &route.answers;
    ShownRoute {
        url: match account {
            Some(account) => account.access.path_of(route),
            None if route.name.is_empty() => "/callback/ACCOUNT".to_owned(),
            None => format!("/callback/ACCOUNT/{}", route.name),
        },
        methods: route.methods.iter().map(ToString::to_string).collect(),
        formats: route.formats.iter().map(named).collect(),
        max_body: show_size(route.max_body as u64),
        max_items: route.max_items,
        trust: route.trust().name(),
        proof: route.auth.schemes.iter().map(proof).collect(),
        says: route.events.iter().map(show_rule).collect(),
        answers: [
            ("accepted", &answers.accepted),
            ("duplicate", &answers.duplicate),
            ("busy", &answers.busy),
            ("refused", &answers.refused),
            ("unsigned", &answers.unsigned),
        ]
        .into_iter()
        .chain(answers.cases.iter().map(|case| ("case", &case.form)))
        .map(|(to, form)| show_answer(to, form))
        .collect(),
        steps: route.steps.as_ref().map(show_steps),
    }
}

fn show_steps(steps: &Steps) -> ShownSteps {
    ShownSteps {
        within: show_duration(steps.within),
        content_type: steps.content_type.to_str().ok().map(str::to_owned),
        ask: written(&steps.ask),
        record: written(&steps.record),
        end: written(&steps.end),
        say: written(&steps.say),
        play: written(&steps.play),
    }
}

/// A scheme in one line.
fn proof(scheme: &Scheme) -> String {
    let mut line = match &scheme.check {
        Check::Basic => "HTTP basic authentication".to_owned(),
        Check::Token { given, prefix } if prefix.is_empty() => format!("a secret at `{given}`"),
        Check::Token { given, prefix } => format!("a secret at `{given}` behind {prefix:?}"),
        Check::Digest(digest) => {
            format!("`{}` over {}", digest.given, written(&digest.over))
        }
        Check::Jwt { given, body_hash, .. } => {
            format!("a JSON web token at `{given}` with the body's SHA-256 as `{body_hash}`")
        }
        Check::SdkHmacSha256 => "SDK-HMAC-SHA256 over a canonical request".to_owned(),
        Check::Twilio => "X-Twilio-Signature over URL and fields".to_owned(),
        Check::PlivoV2 => "X-Plivo-Signature-V2 over the URL and a nonce".to_owned(),
        Check::PlivoV3 => "X-Plivo-Signature-V3 over URL, fields and a nonce".to_owned(),
    };
    let timed = matches!(scheme.check, Check::Jwt { .. } | Check::SdkHmacSha256);
    if timed || scheme.time.is_some() {
        line.push_str(&format!(", at most {} old or new", show_duration(scheme.tolerance)));
    }
    if let Some(nonce) = &scheme.nonce {
        line.push_str(&format!(", `{nonce}` good for one content"));
    }
    line
}

fn show_rule(rule: &EventRule) -> ShownRule {
    ShownRule {
        name: rule.name.clone(),
        kind: kind(&rule.kind),
        items: rule.items.join("."),
        when: rule.when.iter().map(|condition| condition.source.to_string()).collect(),
        dedupe: rule
            .dedupe
            .iter()
            .map(|part| match part {
                dialect::DedupePart::Value(source) => source.to_string(),
                dialect::DedupePart::Time(resolution) => {
                    format!("time to {}", show_duration(*resolution))
                }
            })
            .collect(),
    }
}

fn kind(kind: &RuleKind) -> &'static str {
    let [sms, keypad, status, report, recording, opt_out, ignored] = RuleKind::NAMES;
    match kind {
        RuleKind::SmsReply { .. } => sms,
        RuleKind::Keypad { .. } => keypad,
        RuleKind::CallStatus { .. } => status,
        RuleKind::DeliveryReport { .. } => report,
        RuleKind::Recording { .. } => recording,
        RuleKind::OptOut => opt_out,
        RuleKind::Ignored => ignored,
    }
}

fn show_answer(to: &'static str, form: &AnswerForm) -> ShownAnswer {
    let content_type = form.content_type.as_ref().and_then(|value| value.to_str().ok());
    ShownAnswer {
        to,
        status: form.status.as_u16(),
        content_type: content_type.map(str::to_owned),
        body: written(&form.body),
    }
}

/// A template as it is written in the configuration, but for its filters.
pub(super) fn written(template: &Template) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Literal(text) => text.replace('\n', "\\n"),
        Piece::Value(source, _) => format!("${{{source}}}"),
    };
    template.pieces.iter().map(piece).collect()
}

fn print(shown: &Shown, out: &mut impl Write) -> anyhow::Result<()> {
    let account = shown.account.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
    writeln!(out, "{account}{} ({})", shown.title, shown.carrier)?;
    writeln!(out, "format       {}", shown.reference)?;
    writeln!(out, "patience     {}", shown.patience)?;
    for route in &shown.routes {
        writeln!(out, "\n{} {}", route.methods.join("|"), route.url)?;
        writeln!(out, "  fields     {}, at most {}", route.formats.join(", "), route.max_body)?;
        let proof = match route.proof.as_slice() {
            [] => {
                "nothing; rely on address lists, certificates and a name nobody guesses".to_owned()
            }
            lines => lines.join("\n             "),
        };
        writeln!(out, "  proof      {proof}\n  trust      {}", route.trust)?;
        for rule in &route.says {
            let items = if rule.items.is_empty() { "the document" } else { &rule.items };
            let when = match rule.when.join(", ") {
                when if when.is_empty() => String::new(),
                when => format!(", told by {when}"),
            };
            let repeat = match rule.dedupe.join(", ") {
                dedupe if dedupe.is_empty() => String::new(),
                dedupe => format!("; repeat: {dedupe}"),
            };
            writeln!(out, "  says       {} in {items}{when}{repeat}", rule.kind)?;
        }
        for answer in &route.answers {
            let content_type = answer.content_type.as_deref().unwrap_or("-");
            let ShownAnswer { to, status, body, .. } = answer;
            writeln!(out, "  {to:<11}{status} {content_type} {body}")?;
        }
        if let Some(ShownSteps { within, content_type, ask, record, end, say, play }) = &route.steps
        {
            let content_type = content_type.as_deref().unwrap_or("-");
            writeln!(out, "  asks for   the next step of a call, {content_type} within {within}")?;
            for (name, body) in
                [("ask", ask), ("record", record), ("end", end), ("say", say), ("play", play)]
            {
                writeln!(out, "    {name:<9}{body}")?;
            }
        }
    }
    if let Some(sends) = &shown.sends {
        sends.print(out)?;
    }
    Ok(())
}
