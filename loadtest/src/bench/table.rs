//! The printed tables: runs under load, how things went on, then every figure against its goal.

use super::Findings;
use super::figure::{Figure, Goal, Row, Standing, mebibytes};
use crate::output;
use serde::Serialize;

/// Whatever has columns of its own.
#[derive(Debug, Serialize)]
pub(super) struct Table {
    pub(super) head: Vec<&'static str>,
    pub(super) lines: Vec<Vec<String>>,
}

const LOAD_HEAD: [&str; 13] = [
    "scenario",
    "conn",
    "limit/s",
    "accepted/s",
    "ratio",
    "p50 ms",
    "p99 ms",
    "p99.9 ms",
    "delivered/s",
    "drained s",
    "cores",
    "peak MiB",
    "rec/commit",
];
const FIGURE_HEAD: [&str; 6] = ["scenario", "quantity", "median", "must", "aim", ""];

/// Both tables as text, in Markdown, so that they can stand in the README as they are.
pub(super) fn render(findings: &Findings) -> String {
    let loads: Vec<_> = findings.rows.iter().map(load_line).collect();
    let figures: Vec<_> = findings.figures.iter().map(figure_line).collect();
    let mut text = String::new();
    if !findings.rows.is_empty() {
        text.push_str(&output::table(&LOAD_HEAD, &loads));
        text.push('\n');
    }
    for Table { head, lines } in &findings.tables {
        text.push_str(&output::table(head, lines));
        text.push('\n');
    }
    text.push_str(&output::table(&FIGURE_HEAD, &figures));
    text
}

fn load_line(row: &Row) -> Vec<String> {
    let show = |value: Option<f64>, digits: usize| {
        value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
    };
    vec![
        row.scenario.to_owned(),
        row.connections.to_string(),
        show(row.median(|round| Some(round.limit_per_second)), 0),
        show(row.median(|round| Some(round.accepted_per_second)), 0),
        show(row.median(|round| Some(round.ratio())), 3),
        show(row.median(|round| Some(round.p50_ms)), 2),
        show(row.median(|round| Some(round.p99_ms)), 2),
        show(row.median(|round| Some(round.p999_ms)), 2),
        show(row.median(|round| round.delivered_per_second), 0),
        show(row.median(|round| round.drained_after), 2),
        show(row.median(|round| Some(round.cores)), 2),
        show(row.median(|round| Some(mebibytes(round.peak_memory))), 0),
        show(row.median(|round| round.records_per_commit), 1),
    ]
}

fn figure_line(figure: &Figure) -> Vec<String> {
    let with_unit = |value: f64| match figure.unit {
        "" => format!("{value:.3}"),
        unit => format!("{value:.2} {unit}"),
    };
    let median = figure.median();
    let (must, aim) = match figure.goal {
        Some(Goal::AtLeast { must, aim }) => (format!("≥ {must}"), format!("≥ {aim}")),
        Some(Goal::AtMost { must, aim }) => (format!("≤ {must}"), format!("≤ {aim}")),
        None => (String::new(), String::new()),
    };
    let standing = match (figure.goal, median) {
        (Some(goal), Some(median)) => match goal.standing(median) {
            Standing::Missed => "missed",
            Standing::Reached => "reached",
            Standing::Aimed => "aim reached",
        },
        _ => "",
    };
    vec![
        figure.scenario.to_owned(),
        figure.quantity.to_owned(),
        median.map_or_else(|| "–".to_owned(), with_unit),
        must,
        aim,
        standing.to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_set_against_their_goals() {
        let figure = |values, goal| Figure {
            scenario: "forwarding",
            quantity: "p99",
            unit: "ms",
            values,
            goal,
        };
        let goal = Some(Goal::AtMost { must: 15.0, aim: 6.0 });
        let findings = Findings {
            rows: Vec::new(),
            figures: vec![figure(vec![7.0, 9.0, 8.0], goal), figure(Vec::new(), goal)],
            tables: Vec::new(),
        };
        let expected = "\
| scenario   | quantity | median  | must | aim |         |
| ---------- | -------- | ------- | ---- | --- | ------- |
| forwarding | p99      | 8.00 ms | ≤ 15 | ≤ 6 | reached |
| forwarding | p99      | –       | ≤ 15 | ≤ 6 |         |
";
        assert_eq!(render(&findings), expected);
    }
}
