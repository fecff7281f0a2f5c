//! Medians, percentiles and how sure we are of them. It does not know what was measured.

use serde::Serialize;

/// How often a sample is drawn again to see how much its median depends on chance.
const RESAMPLES: usize = 1000;
/// Fixed, so that the same measurements give the same interval.
const SEED: u64 = 7;

/// A sample, in the unit it was measured in.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Summary {
    /// How many values.
    pub(crate) n: usize,
    /// Half of them are smaller.
    pub(crate) median: f64,
    /// One in ten is smaller.
    pub(crate) p10: f64,
    /// One in ten is larger.
    pub(crate) p90: f64,
    /// One in a hundred is larger.
    pub(crate) p99: f64,
}

impl Summary {
    /// Of at least one value.
    pub(crate) fn of(values: &[f64]) -> Summary {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |part| quantile(&sorted, part);
        Summary { n: sorted.len(), median: at(0.5), p10: at(0.1), p90: at(0.9), p99: at(0.99) }
    }
}

/// A median with its 95 % confidence interval.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Estimate {
    /// The median.
    pub(crate) median: f64,
    /// Where it would lie in 95 of 100 repetitions: from here
    pub(crate) low: f64,
    /// to here.
    pub(crate) high: f64,
}

impl Estimate {
    /// By drawing again from the sample (percentile bootstrap).
    pub(crate) fn of(values: &[f64]) -> Estimate {
        let mut random = fastrand::Rng::with_seed(SEED);
        let mut medians: Vec<f64> = (0..RESAMPLES)
            .map(|_| {
                let drawn: Vec<f64> = (0..values.len()).map(|_| values[random.usize(..values.len())]).collect();
                Summary::of(&drawn).median
            })
            .collect();
        medians.sort_by(f64::total_cmp);
        let median = Summary::of(values).median;
        Estimate { median, low: quantile(&medians, 0.025), high: quantile(&medians, 0.975) }
    }

    /// Of the quotients of pairs. A pair is measured back to back, so other work of the machine changes both alike.
    pub(crate) fn of_ratios(values: &[f64], others: &[f64]) -> Estimate {
        let ratios: Vec<f64> = values.iter().zip(others).map(|(value, other)| value / other).collect();
        Estimate::of(&ratios)
    }

    /// Of their differences.
    pub(crate) fn of_differences(values: &[f64], others: &[f64]) -> Estimate {
        let differences: Vec<f64> = values.iter().zip(others).map(|(value, other)| value - other).collect();
        Estimate::of(&differences)
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "an index")]
fn quantile(sorted: &[f64], part: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * part).round() as usize).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::{Estimate, Summary};

    #[test]
    fn a_summary_has_the_quantiles_in_order() {
        let values: Vec<f64> = (0..=100).rev().map(f64::from).collect();
        let summary = Summary::of(&values);
        assert_eq!((summary.n, summary.p10, summary.median, summary.p90, summary.p99), (101, 10.0, 50.0, 90.0, 99.0));
    }

    #[test]
    fn a_constant_ratio_is_certain_and_a_scattered_one_is_not() {
        let others: Vec<f64> = (1..200).map(f64::from).collect();
        let halves: Vec<f64> = others.iter().map(|other| other / 2.0).collect();
        let certain = Estimate::of_ratios(&halves, &others);
        assert_eq!((certain.low, certain.median, certain.high), (0.5, 0.5, 0.5));
        let scattered = Estimate::of_differences(&others, &vec![0.0; others.len()]);
        assert!(scattered.low < scattered.median && scattered.median < scattered.high, "{scattered:?}");
    }
}
