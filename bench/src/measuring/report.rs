//! The results, as a table against the budgets and as JSON.

use std::fmt::Write;

use serde::Serialize;

use super::statistics::{Estimate, Summary};

/// All rows, in the order of measuring.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    /// When, where and with which programs.
    pub(crate) circumstances: Vec<(&'static str, String)>,
    pub(crate) rows: Vec<Row>,
}

/// One measurement, and its budget.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) what: String,
    /// The median, or the number if there is only one.
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) summary: Option<Summary>,
    /// The measurement that it was paired with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) against: Option<Against>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) budget: Option<Budget>,
    /// Whether it is within the budget.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) holds: Option<bool>,
}

/// The measurement of the same rounds that another was compared with.
#[derive(Debug, Serialize)]
pub(crate) struct Against {
    pub(crate) name: &'static str,
    pub(crate) summary: Summary,
    /// Ours divided by the other.
    pub(crate) ratio: Estimate,
    /// Ours minus the other.
    pub(crate) difference: Estimate,
}

/// A limit for the ratio if there is one, and for the value otherwise.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Budget {
    AtMost(f64),
    AtLeast(f64),
    Exactly(f64),
}

impl Budget {
    #[expect(clippy::float_cmp, reason = "counts are whole")]
    fn holds(self, value: f64) -> bool {
        match self {
            Budget::AtMost(most) => value <= most,
            Budget::AtLeast(least) => value >= least,
            Budget::Exactly(exactly) => value == exactly,
        }
    }
}

impl Row {
    /// A sample alone.
    pub(crate) fn sample(what: impl Into<String>, unit: &'static str, values: &[f64]) -> Row {
        let summary = Summary::of(values);
        Row { summary: Some(summary), ..Row::number(what, unit, summary.median) }
    }

    /// A number that was read, not sampled.
    pub(crate) fn number(what: impl Into<String>, unit: &'static str, value: f64) -> Row {
        Row { what: what.into(), value, unit, summary: None, against: None, budget: None, holds: None }
    }

    /// The same, compared with a sample of the same rounds.
    #[must_use]
    pub(crate) fn against(mut self, name: &'static str, values: &[f64], others: &[f64]) -> Row {
        self.against = Some(Against {
            name,
            summary: Summary::of(others),
            ratio: Estimate::of_ratios(values, others),
            difference: Estimate::of_differences(values, others),
        });
        self
    }

    /// The same with a limit.
    #[must_use]
    pub(crate) fn budget(mut self, budget: Budget) -> Row {
        let judged = self.against.as_ref().map_or(self.value, |against| against.ratio.median);
        (self.budget, self.holds) = (Some(budget), Some(budget.holds(judged)));
        self
    }
}

impl Report {
    pub(crate) fn add(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// A table in Markdown.
    pub(crate) fn table(&self) -> String {
        let mut table = String::new();
        for (what, value) in &self.circumstances {
            let _ = writeln!(table, "* {what}: {value}");
        }
        table.push_str("\n| what | median | p99 | against | ratio (95 % of its median) | budget | |\n|---|--:|--:|---|--:|--:|---|\n");
        for row in &self.rows {
            let p99 = row.summary.map_or_else(String::new, |summary| number(summary.p99));
            let (against, ratio) = row.against.as_ref().map_or_else(Default::default, |against| {
                let Estimate { median, low, high } = against.ratio;
                let name = format!("{}: {} {}", against.name, number(against.summary.median), row.unit);
                (name, format!("{median:.2} ({low:.2} to {high:.2})"))
            });
            let budget = match row.budget {
                None => String::new(),
                Some(Budget::AtMost(most)) => format!("≤ {}", number(most)),
                Some(Budget::AtLeast(least)) => format!("≥ {}", number(least)),
                Some(Budget::Exactly(exactly)) => format!("= {}", number(exactly)),
            };
            let holds = match row.holds {
                None => "",
                Some(true) => "ok",
                Some(false) => "**missed**",
            };
            let Row { what, value, unit, .. } = row;
            let _ = writeln!(
                table,
                "| {what} | {} {unit} | {p99} | {against} | {ratio} | {budget} | {holds} |",
                number(*value)
            );
        }
        table
    }
}

/// With as many decimals as are significant.
fn number(value: f64) -> String {
    if value.fract() == 0.0 || value.abs() >= 100.0 {
        format!("{value:.0}")
    } else if value.abs() >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::{Budget, Report, Row};

    #[test]
    fn the_budget_is_for_the_ratio_if_there_is_one() {
        let (ours, theirs) = ([30.0, 30.0], [100.0, 100.0]);
        let row = Row::sample("x", "us", &ours).against("theirs", &ours, &theirs).budget(Budget::AtMost(0.35));
        assert_eq!(row.holds, Some(true));
        assert_eq!(Row::number("x", "us", 30.0).budget(Budget::AtMost(0.35)).holds, Some(false));
        assert_eq!(Row::number("x", "", 2.0).budget(Budget::Exactly(2.0)).holds, Some(true));
        let report = Report { rows: vec![row], ..Report::default() };
        let line = report.table().lines().last().unwrap().to_owned();
        assert_eq!(line, "| x | 30 us | 30 | theirs: 100 us | 0.30 (0.30 to 0.30) | ≤ 0.35 | ok |");
    }
}
