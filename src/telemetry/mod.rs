//! Sight: metrics, logs and health. Knows the names and labels of everything that is counted.
//!
//! Each part of the gateway has a file here with its table of metrics, its handles made at
//! start, and one function for each thing that happens.

pub mod distribution;
pub mod egress;
pub mod health;
pub mod identity;
pub mod ingress;
pub mod intake;
pub mod invitations;
pub mod ledger;
pub mod link;
pub mod logging;
pub mod messages;
pub mod metrics;
pub mod net;
pub mod nodes;
pub mod recordings;
pub mod refusals;
pub mod reload;
pub mod seldom;
pub mod spool;
pub mod store;
pub mod workers;

pub use health::{Health, Progress};
pub use metrics::Metrics;
pub use refusals::Refusals;

use metrics::Row;

/// Every metric by part: what `docs/METRICS.md` lists.
pub const TABLES: &[(&str, &[&Row])] = &[
    ("Connections", net::TABLE),
    ("Callbacks", ingress::TABLE),
    ("Links", link::TABLE),
    ("Events", intake::TABLE),
    ("Distribution", distribution::TABLE),
    ("Invitations", invitations::TABLE),
    ("Configuration", reload::TABLE),
    ("Store", store::TABLE),
    ("Spool", spool::TABLE),
    ("Nodes", nodes::TABLE),
    ("Ledger", ledger::TABLE),
    ("Forwarding", egress::TABLE),
    ("Identity", identity::TABLE),
    ("Messages", messages::TABLE),
    ("Recordings", recordings::TABLE),
    ("Workers", workers::TABLE),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fmt::Write;

    fn document() -> String {
        let mut text = String::from(
            "# Metrics\n\nGenerated from the tables in `src/telemetry/`; rewrite with \
             `UPDATE_DOCS=1 cargo test metrics_are_documented`.\nServed as Prometheus text at \
             `/metrics` on the operators' listener.\n",
        );
        for (part, rows) in TABLES {
            write!(
                text,
                "\n## {part}\n\n| name | kind | labels | what it counts |\n|---|---|---|---|\n"
            )
            .expect("text grows");
            for row in *rows {
                let labels: Vec<_> = row.labels.iter().map(|label| format!("`{label}`")).collect();
                let labels = labels.join(", ");
                writeln!(text, "| `{}` | {} | {labels} | {} |", row.name, row.kind, row.help)
                    .expect("text grows");
            }
        }
        text
    }

    #[test]
    fn metrics_are_documented() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/METRICS.md");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, document()).expect("the file can be written");
        }
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert!(written == document(), "{path} is out of date; run this test with UPDATE_DOCS=1");
    }

    #[test]
    fn names_follow_the_convention() {
        let mut seen = BTreeSet::new();
        for row in TABLES.iter().flat_map(|(_, rows)| rows.iter()) {
            assert!(row.name.starts_with("bridge8890_"), "{}", row.name);
            assert_eq!(row.name.ends_with("_total"), row.kind == "counter", "{}", row.name);
            assert!(row.help.ends_with('.') && !row.help.contains('|'), "{}", row.name);
            assert!(seen.insert(row.name), "{} is there twice", row.name);
        }
    }
}
