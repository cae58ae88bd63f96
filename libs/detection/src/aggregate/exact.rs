use std::cmp::Ordering;

/// A sum of finite numbers without rounding, so that it depends neither on their order nor on which of them came and
/// went before. Every such number is a whole number of 2^-1088.
#[derive(Clone, Debug)]
pub(crate) struct ExactSum {
    /// Each 2^32 times the one before it. They are carried only when the sum is asked for: a billion numbers fit before.
    limbs: [i64; LIMBS],
}

/// From 2^-1088 to above 2^1024 times 2^64.
const LIMBS: usize = 72;
/// How far to the left of 2^-1074, the least number there is.
const SHIFT: u32 = 1088 - 1074;
const LIMB_BITS: u32 = 32;
const LOW: u128 = (1 << LIMB_BITS) - 1;

impl ExactSum {
    pub(crate) fn new() -> Self {
        Self { limbs: [0; LIMBS] }
    }

    /// Adds `value` so many times.
    pub(crate) fn add(&mut self, value: f64, times: u64) {
        self.move_by(value, times, value.is_sign_negative());
    }

    /// Takes `value` away so many times.
    pub(crate) fn subtract(&mut self, value: f64, times: u64) {
        self.move_by(value, times, !value.is_sign_negative());
    }

    /// How it compares with zero.
    pub(crate) fn sign(&self) -> Ordering {
        let (mut carry, mut is_zero) = (0, true);
        for limb in self.limbs {
            let whole = limb + carry;
            carry = whole >> LIMB_BITS;
            is_zero &= whole == carry << LIMB_BITS;
        }
        match carry {
            0 if is_zero => Ordering::Equal,
            0.. => Ordering::Greater,
            _ => Ordering::Less,
        }
    }

    fn move_by(&mut self, value: f64, times: u64, is_down: bool) {
        let bits = value.to_bits();
        let (exponent, fraction) = ((bits >> 52) & 0x7ff, bits & ((1 << 52) - 1));
        // A subnormal number has the exponent of the least normal one, and no leading one.
        let (mantissa, power) = match u32::try_from(exponent).unwrap_or_default() {
            0 => (fraction, 0),
            exponent => (fraction | 1 << 52, exponent - 1),
        };
        let mut rest = u128::from(mantissa) * u128::from(times);
        let place = power + SHIFT;
        let (mut at, offset) = ((place / LIMB_BITS) as usize, place % LIMB_BITS);
        while rest > 0 {
            let part = (rest & LOW) << offset;
            for (limb, part) in [(at, part & LOW), (at + 1, part >> LIMB_BITS)] {
                let part = i64::try_from(part).expect("it has 32 bits");
                self.limbs[limb] += if is_down { -part } else { part };
            }
            rest >>= LIMB_BITS;
            at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(values: &[f64]) -> ExactSum {
        let mut sum = ExactSum::new();
        values.iter().for_each(|value| sum.add(*value, 1));
        sum
    }

    #[test]
    fn nothing_is_lost_in_whatever_order() {
        for values in [[1e300, 1.0, -1e300], [1.0, 1e300, -1e300], [-1e300, 1e300, 1.0]] {
            let mut sum = sum(&values);
            assert_eq!(sum.sign(), Ordering::Greater, "{values:?}");
            sum.subtract(1.0, 1);
            assert_eq!(sum.sign(), Ordering::Equal, "{values:?}");
            sum.subtract(5e-324, 1);
            assert_eq!(sum.sign(), Ordering::Less, "{values:?}");
        }
        // Three tenths as they are written in binary are a little less than the sum of one and two tenths.
        let mut tenths = sum(&[0.1, 0.2]);
        tenths.subtract(0.3, 1);
        assert_eq!(tenths.sign(), Ordering::Greater);
    }

    #[test]
    fn extremes_fit() {
        let mut sum = ExactSum::new();
        sum.add(f64::MAX, u64::MAX);
        sum.add(f64::MAX, u64::MAX);
        sum.add(-f64::MAX, u64::MAX);
        assert_eq!(sum.sign(), Ordering::Greater);
        sum.subtract(f64::MAX, u64::MAX);
        assert_eq!(sum.sign(), Ordering::Equal);
        sum.add(-5e-324, u64::MAX);
        assert_eq!(sum.sign(), Ordering::Less);
        sum.add(f64::MIN_POSITIVE, 1);
        assert_eq!(sum.sign(), Ordering::Less);
        sum.add(f64::MIN_POSITIVE, 1 << 13);
        assert_eq!(sum.sign(), Ordering::Greater);
        sum.add(0.0, u64::MAX);
        sum.subtract(-0.0, 1);
        assert_eq!(sum.sign(), Ordering::Greater);
    }

    #[test]
    fn what_comes_and_goes_leaves_nothing() {
        let values = [0.1, 7e22, -3.5, 1e-310, 123_456_789.123];
        let mut all = sum(&values);
        values.iter().rev().for_each(|value| all.subtract(*value, 1));
        assert_eq!(all.sign(), Ordering::Equal);
    }
}
