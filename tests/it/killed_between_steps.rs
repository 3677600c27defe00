//! `kill -9` between any two steps of a conversation: nothing is lost, nothing is said or recorded
//! twice, and what is recorded is what an unbroken conversation leaves.
//!
//! Between two requests to carrier or platform a gateway takes its steps in transactions. A wall in the database lets
//! it come up to one of them and not through, and there it is killed. Within a request it is held by a carrier
//! that does not answer, before or after it took the message.

use crate::citizens_are_answered::{carrier, said};
use crate::support::{Answer, Gateway, Platform, until};
use bridge8890::standin::sms::{Mood, SmsCarrier};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use std::collections::BTreeMap;

/// What carrier and platform do, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Invites,
    ReportsDelivery,
    /// The citizen.
    Says {
        id: &'static str,
        text: &'static str,
        /// Whether that is recorded, and answered.
        recorded: bool,
        answered: bool,
    },
}

const ACTS: [Act; 6] = [
    Act::Invites,
    Act::ReportsDelivery,
    Act::Says { id: "m-1", text: "不满意", recorded: true, answered: true },
    Act::Says { id: "m-2", text: "排队5个小时", recorded: true, answered: false },
    Act::Says { id: "m-3", text: "非常满意", recorded: true, answered: true },
    Act::Says { id: "m-4", text: "退订", recorded: false, answered: true },
];

/// What the citizen is told in all.
const TOLD: [&str; 4] = ["请评价身份证换领", "请问哪里不满意？", "感谢您的评价", "不再打扰您"];

impl Act {
    async fn happen(self, gateway: &Gateway, carrier: &SmsCarrier) -> Answer {
        match self {
            Act::Invites => {
                let invitation = json!({
                    "id": "i-1", "campaign": "talk", "channel": "sms", "mobile": "13940000001",
                    "projectNo": "P-1", "taskName": "身份证换领", "senderNumber": "10690088",
                });
                gateway.ask(&json!([invitation])).await
            }
            Act::ReportsDelivery => {
                let key = carrier.taken()[0].key.clone().expect("our key");
                let query = format!("id={key}&type=1&to=13940000001&ts=1772677230");
                gateway.get(&format!("/callback/kannel/dlr?{query}")).await
            }
            Act::Says { id, text, .. } => said(gateway, id, text).await,
        }
    }

    fn is_answered(self) -> bool {
        matches!(self, Act::Invites | Act::Says { answered: true, .. })
    }

    fn is_recorded(self) -> bool {
        matches!(self, Act::Says { recorded: true, .. })
    }
}

/// Where the gateway is held and killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Break {
    /// Before what was said is stored, and so before its carrier is answered.
    BeforeItIsHeld,
    BeforeItIsConcluded,
    BeforeAMessageIsLeased,
    /// The carrier has read the request, and not taken the message.
    BeforeTheCarrierTakes,
    /// The carrier has taken the message, and not answered.
    WhileTheCarrierAnswers,
    /// The carrier has answered.
    BeforeAMessageIsSettled,
    BeforeItsNewsAreTaken,
    BeforeARecordIsLeased,
    /// The platform has answered.
    BeforeARecordIsSettled,
}

impl Break {
    /// What the database refuses meanwhile.
    fn wall(self) -> Option<&'static str> {
        match self {
            Break::BeforeItIsHeld => Some("INSERT ON inbox"),
            Break::BeforeItIsConcluded => Some("DELETE ON inbox"),
            Break::BeforeAMessageIsLeased => {
                Some("UPDATE OF token ON message WHEN NEW.token <> 0 AND NEW.state = 0")
            }
            Break::BeforeTheCarrierTakes | Break::WhileTheCarrierAnswers => None,
            Break::BeforeAMessageIsSettled => {
                Some("UPDATE OF state ON message WHEN NEW.state <> 0")
            }
            Break::BeforeItsNewsAreTaken => {
                Some("UPDATE OF news ON message WHEN OLD.news IS NOT NULL AND NEW.news IS NULL")
            }
            Break::BeforeARecordIsLeased => Some("UPDATE OF token ON outbox WHEN NEW.token <> 0"),
            Break::BeforeARecordIsSettled => Some("DELETE ON outbox"),
        }
    }

    fn is_met_in(self, act: Act) -> bool {
        match self {
            Break::BeforeItIsHeld | Break::BeforeItIsConcluded => true,
            Break::BeforeARecordIsLeased | Break::BeforeARecordIsSettled => act.is_recorded(),
            _ => act.is_answered(),
        }
    }

    /// What became of a message is not known after it, and it is not sent again by itself.
    fn leaves_doubt(self) -> bool {
        matches!(
            self,
            Break::BeforeTheCarrierTakes
                | Break::WhileTheCarrierAnswers
                | Break::BeforeAMessageIsSettled
        )
    }
}

/// What is left of a conversation: records by the order of their ids, and what the platform took.
#[derive(Debug, PartialEq, Eq)]
struct Left {
    records: Vec<Value>,
    taken: Vec<(String, usize, u32, Option<String>)>,
}

/// Counts messages to be sent or told, and what was heard before that.
const SAYING: &str = "SELECT (SELECT count(*) FROM inbox)
    + (SELECT count(*) FROM message WHERE state = 0 OR news IS NOT NULL)";

struct Conversation {
    gateway: Gateway,
    platform: Platform,
    carrier: SmsCarrier,
    database: SqliteConnection,
}

impl Conversation {
    async fn start() -> Conversation {
        let platform = Platform::start().await;
        let (carrier, own) = carrier().await;
        let gateway = Gateway::with(&platform, &own).await;
        let database = gateway.site.open_database().await;
        Conversation { gateway, platform, carrier, database }
    }

    async fn sql(&mut self, sql: String) {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.database).await.expect("it runs");
    }

    async fn goes_on(&mut self, act: Act) {
        let answer = act.happen(&self.gateway, &self.carrier).await;
        assert!(answer.status < 300, "{act:?}: {answer:?}");
        self.gateway.settled().await;
    }

    /// The same, but the gateway is killed on the way.
    async fn is_broken(&mut self, act: Act, at: Break) {
        let asked = self.carrier.requests();
        match at.wall() {
            Some(wall) => {
                let stop = "BEGIN SELECT RAISE(ABORT, 'so far'); END";
                self.sql(format!("CREATE TRIGGER wall BEFORE {wall} {stop}")).await;
            }
            None if at == Break::BeforeTheCarrierTakes => self.carrier.set_mood(Mood::Silent),
            None => self.carrier.set_mood(Mood::Hanging),
        }
        let answer = act.happen(&self.gateway, &self.carrier).await;
        let is_taken = answer.status < 300;
        assert_eq!(is_taken, at != Break::BeforeItIsHeld, "{act:?}: {answer:?}");
        self.has_come_so_far(at, asked).await;
        self.gateway.kill9().await;
        self.sql("DROP TRIGGER IF EXISTS wall".to_owned()).await;
        self.carrier.set_mood(Mood::Well);
        self.gateway.restart().await;
        // Whoever was not answered comes again.
        if !is_taken {
            self.goes_on(act).await;
        }
        self.gateway.settled().await;
        self.judge_doubt(at).await;
    }

    async fn has_come_so_far(&mut self, at: Break, asked: usize) {
        let Conversation { gateway, carrier, database, .. } = self;
        until("it has come so far", async || match at.wall() {
            Some(_) => gateway.metric("bridge8890_store_commit_failures_total").await > 0.0,
            None => carrier.requests() > asked,
        })
        .await;
        // Between messages and records there is no order: the messages are over when the records stand.
        if matches!(at, Break::BeforeARecordIsLeased | Break::BeforeARecordIsSettled) {
            until("all is said", async || {
                let left = sqlx::query_scalar::<_, i64>(SAYING).fetch_one(&mut *database).await;
                left.expect("it reads") == 0
            })
            .await;
        }
    }

    /// What the carrier may have is left to an operator, who asks the carrier.
    async fn judge_doubt(&mut self, at: Break) {
        let dead = self.gateway.site.run("messages dead --json").await.lines();
        assert!(dead.iter().all(|message| message["class"] == "unknown"), "{dead:?}");
        assert_eq!(!dead.is_empty(), at.leaves_doubt(), "{dead:?}");
        if at == Break::BeforeTheCarrierTakes {
            let id = dead[0]["id"].as_str().expect("an id");
            let replay = self.gateway.site.run(&format!("messages replay {id}")).await;
            assert_eq!(replay.code, Some(0), "{replay:?}");
            self.gateway.settled().await;
        }
    }

    async fn left(self) -> Left {
        let told: Vec<String> =
            self.carrier.taken().into_iter().map(|taken| taken.content).collect();
        assert_eq!(told, TOLD);
        let mut records = self.gateway.site.run("records find --json").await.lines();
        // Newest first; and a time is never the same.
        records.reverse();
        let mut ids: BTreeMap<String, usize> = BTreeMap::new();
        for record in &mut records {
            let next = ids.len();
            let id = record["id"].as_str().expect("an id").to_owned();
            record["id"] = (*ids.entry(id).or_insert(next)).into();
            record["received_at"] = Value::Null;
        }
        let mut taken: Vec<_> = self
            .platform
            .taken()
            .into_iter()
            .map(|it| (it.kind, ids[&it.key.id.to_string()], it.key.revision.0, it.invitation))
            .collect();
        // Complaints go first, unless the gateway comes back in between.
        taken.sort();
        self.database.close().await.expect("closed");
        self.gateway.finish().await;
        Left { records, taken }
    }
}

async fn unbroken() -> Left {
    let mut conversation = Conversation::start().await;
    for act in ACTS {
        conversation.goes_on(act).await;
    }
    let left = conversation.left().await;
    let revisions: Vec<_> = left.records.iter().map(|it| (&it["kind"], &it["revision"])).collect();
    let (rating, complaint) = (json!("rating"), json!("bad rating"));
    let numbers = [json!(1), json!(2), json!(3)];
    let expected = [
        (&rating, &numbers[0]),
        (&complaint, &numbers[0]),
        (&rating, &numbers[1]),
        (&rating, &numbers[2]),
    ];
    assert_eq!(revisions, expected);
    left
}

/// Breaks every act of a conversation at the same place.
async fn broken(at: Break) {
    let mut conversation = Conversation::start().await;
    for act in ACTS {
        match at.is_met_in(act) {
            true => conversation.is_broken(act, at).await,
            false => conversation.goes_on(act).await,
        }
    }
    assert_eq!(conversation.left().await, unbroken().await);
}

macro_rules! breaks {
    ($($name:ident: $at:ident),*) => {$(
        #[tokio::test]
        async fn $name() {
            broken(Break::$at).await;
        }
    )*};
}

breaks! {
    what_was_not_stored_is_said_again: BeforeItIsHeld,
    what_was_stored_is_concluded: BeforeItIsConcluded,
    what_is_to_be_said_is_said: BeforeAMessageIsLeased,
    what_the_carrier_did_not_take_waits_for_an_operator: BeforeTheCarrierTakes,
    what_the_carrier_took_without_a_word_is_not_said_twice: WhileTheCarrierAnswers,
    what_the_carrier_took_is_not_said_twice: BeforeAMessageIsSettled,
    what_was_said_is_known_to_be_said: BeforeItsNewsAreTaken,
    what_is_recorded_is_forwarded: BeforeARecordIsLeased,
    what_the_platform_took_is_not_recorded_twice: BeforeARecordIsSettled
}
