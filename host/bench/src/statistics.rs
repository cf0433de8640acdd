//! Numbers of many samples: what a sample is like, and whether two sets of them differ.

/// What samples are like.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Summary {
    /// How many there are.
    pub count: usize,
    /// The smallest.
    pub min: f64,
    /// The one in the middle.
    pub p50: f64,
    /// What 95 of 100 do not exceed; none of fewer than 20.
    pub p95: Option<f64>,
    /// What 99 of 100 do not exceed; none of fewer than 100.
    pub p99: Option<f64>,
    /// The largest.
    pub max: f64,
    /// The median of the distances from the median.
    pub mad: f64,
}

impl Summary {
    /// None of no samples.
    pub fn of(samples: &[f64]) -> Option<Self> {
        let sorted = sorted(samples);
        let p50 = quantile(&sorted, 0.5)?;
        let distances: Vec<f64> = sorted.iter().map(|sample| (sample - p50).abs()).collect();
        let far = |least: usize, part| quantile(&sorted, part).filter(|_| sorted.len() >= least);
        Some(Self {
            count: sorted.len(),
            min: *sorted.first()?,
            p50,
            p95: far(20, 0.95),
            p99: far(100, 0.99),
            max: *sorted.last()?,
            mad: quantile(&self::sorted(&distances), 0.5)?,
        })
    }
}

fn sorted(samples: &[f64]) -> Vec<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// Between the two neighbours by distance: definition 7 of Hyndman and Fan, the default of R and `NumPy`.
pub(crate) fn quantile(sorted: &[f64], part: f64) -> Option<f64> {
    let place = part.clamp(0.0, 1.0) * sorted.len().checked_sub(1)? as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and the length"
    )]
    let below = place.floor() as usize;
    let low = *sorted.get(below)?;
    let high = sorted.get(below + 1).copied().unwrap_or(low);
    Some(low + (high - low) * (place - place.floor()))
}

/// The probability that two sets of samples of the same thing are as far apart as these, either way: the
/// test of Mann and Whitney. It asks of the samples only that they can be put in order.
///
/// Exact for small sets without ties; else by the normal distribution, with the corrections for ties
/// and for continuity. One of nothing.
pub fn mann_whitney(one: &[f64], other: &[f64]) -> f64 {
    let (n, m) = (one.len(), other.len());
    if n == 0 || m == 0 {
        return 1.0;
    }
    let (ranks, ties) = ranks(one, other);
    let (n_real, m_real) = (n as f64, m as f64);
    let u = ranks - n_real * (n_real + 1.0) / 2.0;
    let larger = u.max(n_real * m_real - u);
    if ties == 0.0 && n.max(m) <= MOST_EXACT {
        return exact(n, m, larger);
    }
    let all = n_real + m_real;
    let spread = n_real * m_real / 12.0 * (all + 1.0 - ties / (all * (all - 1.0)));
    if spread <= 0.0 {
        return 1.0; // all samples are the same
    }
    let z = (larger - n_real * m_real / 2.0 - 0.5) / spread.sqrt();
    (2.0 * upper_tail(z)).min(1.0)
}

/// Up to so many samples all orders are counted.
const MOST_EXACT: usize = 20;

/// The sum of the ranks of the first set among both, and what ties take from the variance.
fn ranks(one: &[f64], other: &[f64]) -> (f64, f64) {
    let mut all: Vec<(f64, bool)> = one.iter().map(|sample| (*sample, true)).collect();
    all.extend(other.iter().map(|sample| (*sample, false)));
    all.sort_by(|left, right| left.0.total_cmp(&right.0));
    let (mut before, mut sum, mut ties) = (0.0, 0.0, 0.0);
    for same in all.chunk_by(|left, right| left.0.total_cmp(&right.0).is_eq()) {
        let count = same.len() as f64;
        let rank = before + f64::midpoint(count, 1.0);
        sum += rank * same.iter().filter(|(_, is_of_one)| *is_of_one).count() as f64;
        ties += count.powi(3) - count;
        before += count;
    }
    (sum, ties)
}

/// The part of all orders of `n` and `m` samples whose U is at least this far from the middle, twice.
fn exact(n: usize, m: usize, u: f64) -> f64 {
    // ways[k]: in how many orders U is k. One sample of the second set after the other is put in.
    let most = n * m;
    let mut ways = vec![0.0_f64; most + 1];
    if let Some(none) = ways.first_mut() {
        *none = 1.0;
    }
    for j in 1..=m {
        // Multiplied by (1 - x^(n+j)) / (1 - x^j): the Gaussian binomial coefficient grows by a factor.
        for k in (n + j..=most).rev() {
            let below = ways.get(k - n - j).copied().unwrap_or_default();
            if let Some(way) = ways.get_mut(k) {
                *way -= below;
            }
        }
        for k in j..=most {
            let below = ways.get(k - j).copied().unwrap_or_default();
            if let Some(way) = ways.get_mut(k) {
                *way += below;
            }
        }
    }
    let all: f64 = ways.iter().sum();
    let far: f64 =
        ways.iter().enumerate().filter(|(k, _)| *k as f64 >= u).map(|(_, way)| way).sum();
    (2.0 * far / all).min(1.0)
}

/// The part of the normal distribution above `z`, to seven digits: Abramowitz and Stegun, 26.2.17.
fn upper_tail(z: f64) -> f64 {
    const TERMS: [f64; 5] =
        [1.330_274_429, -1.821_255_978, 1.781_477_937, -0.356_563_782, 0.319_381_530];
    if z < 0.0 {
        return 1.0 - upper_tail(-z);
    }
    let t = 1.0 / 0.231_641_9_f64.mul_add(z, 1.0);
    let sum = TERMS.iter().fold(0.0_f64, |sum, term| sum.mul_add(t, *term)) * t;
    sum * (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

/// Where a figure probably is.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Interval {
    /// The figure itself.
    pub value: f64,
    /// 95 of 100 such intervals have the true figure between this
    pub low: f64,
    /// and this.
    pub high: f64,
}

/// The median of one set of samples divided by that of another, with a bootstrap interval: both sets are
/// drawn again a thousand times. The same samples give the same interval.
pub fn ratio_interval(above: &[f64], below: &[f64]) -> Option<Interval> {
    const DRAWS: usize = 1000;
    let value = Summary::of(above)?.p50 / Summary::of(below)?.p50;
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut ratios = Vec::with_capacity(DRAWS);
    for _ in 0..DRAWS {
        ratios.push(random.median(above)? / random.median(below)?);
    }
    let ratios = sorted(&ratios);
    Some(Interval { value, low: quantile(&ratios, 0.025)?, high: quantile(&ratios, 0.975)? })
}

/// Splitmix64: enough to draw samples.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// The median of as many samples as there are, drawn with replacement.
    fn median(&mut self, samples: &[f64]) -> Option<f64> {
        let count = u64::try_from(samples.len()).ok().filter(|count| *count > 0)?;
        let draw = |_| {
            let at = usize::try_from(self.next() % count).ok()?;
            samples.get(at).copied()
        };
        let drawn: Option<Vec<f64>> = samples.iter().map(draw).collect();
        quantile(&sorted(&drawn?), 0.5)
    }
}

/// The geometric mean; none of nothing.
pub(crate) fn geometric_mean(values: &[f64]) -> Option<f64> {
    let sum: f64 = values.iter().map(|value| value.ln()).sum();
    (!values.is_empty()).then(|| (sum / values.len() as f64).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(one: f64, other: f64, distance: f64) {
        assert!((one - other).abs() < distance, "{one} is not {other}");
    }

    #[test]
    fn quantiles_are_those_of_r() {
        // quantile(1:10, c(.5, .95, .99)) in R: 5.50, 9.55, 9.91.
        let numbers: Vec<f64> = (1..=10).map(f64::from).collect();
        for (part, expected) in [(0.0, 1.0), (0.5, 5.5), (0.95, 9.55), (0.99, 9.91), (1.0, 10.0)] {
            close(quantile(&numbers, part).unwrap_or_default(), expected, 1e-12);
        }
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn a_summary_tells_no_percentile_that_too_few_samples_have() {
        let summary = Summary::of(&[3.0, 1.0, 2.0, 100.0]);
        let expected =
            Summary { count: 4, min: 1.0, p50: 2.5, p95: None, p99: None, max: 100.0, mad: 1.0 };
        assert_eq!(summary, Some(expected));
        let many: Vec<f64> = (0..100).map(f64::from).collect();
        let many = Summary::of(&many);
        close(many.and_then(|many| many.p99).unwrap_or_default(), 98.01, 1e-9);
        assert_eq!(Summary::of(&[]), None);
    }

    #[test]
    fn the_test_agrees_with_hollander_and_wolfe() {
        // Permeability of the human chorioamnion, 1973, page 69: W = 35, one-sided 0.1272.
        let term = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46];
        let earlier = [1.15, 0.88, 0.90, 0.74, 1.21];
        close(mann_whitney(&term, &earlier), 0.2544, 5e-5);
        close(mann_whitney(&earlier, &term), 0.2544, 5e-5);
    }

    #[test]
    fn the_test_agrees_with_the_manual_of_scipy() {
        // Its example: U = 17, exact 0.1111; by the normal distribution 0.1113.
        let males = [19.0, 22.0, 16.0, 29.0, 24.0];
        let females = [20.0, 11.0, 17.0, 12.0];
        close(mann_whitney(&males, &females), 0.111_111_111, 1e-9);
        let z: f64 = (17.0 - 10.0 - 0.5) / (5.0_f64 * 4.0 / 12.0 * 10.0).sqrt();
        close(2.0 * upper_tail(z), 0.111_346_886, 1e-6);
    }

    #[test]
    fn the_tail_is_that_of_the_tables() {
        for (z, expected) in
            [(0.0, 0.5), (1.0, 0.158_655_25), (1.959_964, 0.025), (3.0, 0.001_349_9)]
        {
            close(upper_tail(z), expected, 2e-7);
        }
    }

    #[test]
    fn sets_that_are_the_same_or_empty_do_not_differ() {
        close(mann_whitney(&[1.0; 30], &[1.0; 30]), 1.0, 1e-12);
        close(mann_whitney(&[], &[1.0]), 1.0, 1e-12);
        let many: Vec<f64> = (0..100).map(f64::from).collect();
        close(mann_whitney(&many, &many), 1.0, 1e-6);
        let more: Vec<f64> = many.iter().map(|number| number + 50.0).collect();
        assert!(mann_whitney(&many, &more) < 1e-9);
    }

    #[test]
    fn the_interval_of_a_ratio_is_around_it() {
        let slow: Vec<f64> = (0..60).map(|number| 2.0 + f64::from(number) / 100.0).collect();
        let fast: Vec<f64> = (0..60).map(|number| 1.0 + f64::from(number) / 100.0).collect();
        let interval = ratio_interval(&slow, &fast);
        let Some(Interval { value, low, high }) = interval else {
            return assert!(interval.is_some());
        };
        close(value, 2.295 / 1.295, 1e-12);
        assert!(low < value && value < high, "{interval:?}");
        assert!(low > 1.5 && high < 2.1, "{interval:?}");
        assert_eq!(ratio_interval(&slow, &fast), interval);
        assert_eq!(ratio_interval(&slow, &[]), None);
    }

    #[test]
    fn geometric_means() {
        close(geometric_mean(&[1.0, 4.0]).unwrap_or_default(), 2.0, 1e-12);
        assert_eq!(geometric_mean(&[]), None);
    }
}
