//! A line for each contestant, all of a scenario on one logarithmic scale.

use std::fmt::Write as _;

use crate::Summary;

/// From the smallest to the largest figure of a scenario, in powers of ten.
#[derive(Debug)]
pub(super) struct Scale {
    from: f64,
    to: f64,
}

const WIDTH: f64 = 300.0;
const HEIGHT: f64 = 16.0;

impl Scale {
    /// One on which all of these are.
    pub(super) fn of<'a>(summaries: impl Iterator<Item = &'a Summary>) -> Self {
        let (mut from, mut to) = (f64::INFINITY, f64::NEG_INFINITY);
        for summary in summaries {
            from = from.min(power(summary.min));
            to = to.max(power(far(summary)));
        }
        let (from, to) = (from.floor(), to.ceil());
        Self { from, to: to.max(from + 1.0) }
    }

    fn place(&self, value: f64) -> f64 {
        let part = (power(value) - self.from) / (self.to - self.from);
        if part.is_finite() { part.clamp(0.0, 1.0) * (WIDTH - 4.0) + 2.0 } else { 2.0 }
    }

    /// The picture of one contestant. Powers of ten are marked.
    pub(super) fn plot(&self, summary: &Summary) -> String {
        let [min, middle, far] = [summary.min, summary.p50, far(summary)].map(|it| self.place(it));
        let high = summary.p95.map_or(far, |p95| self.place(p95));
        let mut svg = format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" \
             aria-label=\"median and spread\">"
        );
        let mut mark = self.from;
        while mark <= self.to {
            let x = self.place(10_f64.powf(mark));
            let _ = write!(svg, "<path class=\"grid\" d=\"M{x:.1} 0V{HEIGHT}\"/>");
            mark += 1.0;
        }
        let width = (high - min).max(1.0);
        let _ = write!(
            svg,
            "<path class=\"line\" d=\"M{min:.1} 8H{far:.1}\"/>\
             <rect class=\"bar\" x=\"{min:.1}\" y=\"4\" width=\"{width:.1}\" height=\"8\"/>\
             <path class=\"mark\" d=\"M{middle:.1} 1V15\"/></svg>"
        );
        svg
    }
}

fn far(summary: &Summary) -> f64 {
    summary.p99.unwrap_or(summary.max)
}

fn power(value: f64) -> f64 {
    value.max(1e-12).log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_larger_figure_is_further_to_the_right() {
        let summaries =
            [[1e-5, 2e-5, 9e-5], [1e-3, 2e-3, 4e-2]].map(|samples| Summary::of(&samples));
        let scale = Scale::of(summaries.iter().flatten());
        assert!((scale.from + 5.0).abs() < 1e-9 && (scale.to + 1.0).abs() < 1e-9, "{scale:?}");
        assert!(scale.place(1e-5) < scale.place(1e-4) && scale.place(1e-4) < scale.place(1e-1));
        let plots = summaries.iter().flatten().map(|summary| scale.plot(summary));
        assert!(plots.clone().all(|plot| plot.matches("grid").count() == 5), "{scale:?}");
    }

    #[test]
    fn nothing_and_zero_have_a_scale_too() {
        let zero = Summary::of(&[0.0]);
        let scale = Scale::of(zero.iter());
        assert!(zero.is_some_and(|zero| scale.plot(&zero).contains("<svg")));
        let _ = Scale::of(std::iter::empty());
    }
}
