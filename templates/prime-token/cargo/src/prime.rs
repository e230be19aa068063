//! Whether a number of up to 128 bits is prime: proven below 3.3 * 10^24, and beyond that by a test
//! which no composite number is known to pass (Baillie-PSW).

/// All primes up to 41. No composite number below `PROVEN` is a strong pseudoprime to all of them:
/// Sorenson and Webster, "Strong pseudoprimes to twelve prime bases", 2015.
const PRIMES: [u128; 13] = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41];
const PROVEN: u128 = 3_317_044_064_679_887_385_961_981;

/// Says whether `n` is prime.
pub fn is_prime(n: u128) -> bool {
    if PRIMES.map(|prime| n % prime).contains(&0) {
        return PRIMES.contains(&n);
    }
    if n < 43 * 43 {
        return n > 1;
    }
    let ring = Ring::modulo(n);
    PRIMES
        .into_iter()
        .all(|base| ring.passes_miller_rabin(base))
        && (n < PROVEN || ring.passes_lucas())
}

/// Arithmetic modulo an odd number, in the form of Montgomery: `a` is kept as `a * 2^128 mod n`,
/// and to multiply takes no division, of which one of 256 bits would be long.
struct Ring {
    n: u128,
    /// What `n` times this is, is 1 modulo 2^128.
    inverse: u128,
    one: u128,
}

impl Ring {
    fn modulo(n: u128) -> Ring {
        // Newton's iteration: each step doubles the bits that are right, of which `n` has 3.
        let inverse = (0..6).fold(n, |x, _| {
            x.wrapping_mul(2_u128.wrapping_sub(n.wrapping_mul(x)))
        });
        let one = (u128::MAX % n + 1) % n;
        Ring { n, inverse, one }
    }

    /// Returns the form of a small number.
    fn small(&self, number: u128) -> u128 {
        (0..number).fold(0, |sum, _| self.add(sum, self.one))
    }

    fn add(&self, a: u128, b: u128) -> u128 {
        self.subtract(a, self.n - b)
    }

    fn subtract(&self, a: u128, b: u128) -> u128 {
        let difference = a.wrapping_sub(b);
        if a < b {
            difference.wrapping_add(self.n)
        } else {
            difference
        }
    }

    fn multiply(&self, a: u128, b: u128) -> u128 {
        let (upper, lower) = wide_product(a, b);
        // This multiple of `n` has the same lower half, so that 2^128 divides the difference.
        let (multiple, _) = wide_product(lower.wrapping_mul(self.inverse), self.n);
        self.subtract(upper, multiple)
    }

    fn square(&self, a: u128) -> u128 {
        self.multiply(a, a)
    }

    fn power(&self, base: u128, exponent: u128) -> u128 {
        bits(exponent).fold(self.one, |power, bit| {
            let square = self.square(power);
            if bit {
                self.multiply(square, base)
            } else {
                square
            }
        })
    }

    /// The strong test to a base. A prime passes it.
    fn passes_miller_rabin(&self, base: u128) -> bool {
        let minus_one = self.n - self.one;
        let twos = (self.n - 1).trailing_zeros();
        let mut power = self.power(self.small(base), (self.n - 1) >> twos);
        if power == self.one {
            return true;
        }
        for _ in 1..twos {
            if power == minus_one {
                return true;
            }
            power = self.square(power);
        }
        power == minus_one
    }

    /// The extra strong test of Lucas, for the smallest P from 3 on that tells something, and Q = 1:
    /// OEIS A217719. A prime passes it. Go's `big.Int.ProbablyPrime` does the same.
    fn passes_lucas(&self) -> bool {
        let mut p = 3;
        loop {
            match jacobi(p * p - 4, self.n) {
                -1 => break,
                // They have a divisor in common, and `n` is much larger.
                0 => return false,
                // Of a square every symbol is 1, and there would be no end to this.
                _ if p == 40 && is_square(self.n) => return false,
                _ => p += 1,
            }
        }
        // No overflow: 3 divides 2^128 - 1, so that nobody asks about that here.
        let twos = (self.n + 1).trailing_zeros();
        let index = (self.n + 1) >> twos;

        let (p, two) = (self.small(p), self.small(2));
        // V(k) and V(k + 1); k grows to `index`, bit by bit.
        let (v, next) = bits(index).fold((two, p), |(v, next), bit| {
            let between = self.subtract(self.multiply(v, next), p);
            if bit {
                (between, self.subtract(self.square(next), two))
            } else {
                (self.subtract(self.square(v), two), between)
            }
        });
        // U(k) is 0 exactly where 2 V(k + 1) = P V(k).
        if (v == two || v == self.n - two) && self.add(next, next) == self.multiply(p, v) {
            return true;
        }
        let mut v = v;
        for _ in 1..twos {
            if v == 0 {
                return true;
            }
            v = self.subtract(self.square(v), two);
        }
        false
    }
}

/// Returns the bits of a number, the highest first.
fn bits(number: u128) -> impl Iterator<Item = bool> {
    let length = u128::BITS - number.leading_zeros();
    (0..length).rev().map(move |bit| number >> bit & 1 == 1)
}

/// Returns the upper and the lower half of a product of 256 bits.
fn wide_product(a: u128, b: u128) -> (u128, u128) {
    const LOWER: u128 = u64::MAX as u128;
    let (a1, a0) = (a >> 64, a & LOWER);
    let (b1, b0) = (b >> 64, b & LOWER);
    // None of these can overflow: (2^64 - 1)^2 + 2 (2^64 - 1) is 2^128 - 1.
    let low = a0 * b0;
    let middle = a1 * b0 + (low >> 64);
    let other = a0 * b1 + (middle & LOWER);
    let upper = a1 * b1 + (middle >> 64) + (other >> 64);
    (upper, other << 64 | low & LOWER)
}

/// Returns the Jacobi symbol (a/n) for an odd n.
fn jacobi(a: u128, n: u128) -> i32 {
    let (mut a, mut n, mut symbol) = (a % n, n, 1);
    while a != 0 {
        let twos = a.trailing_zeros();
        a >>= twos;
        if twos % 2 == 1 && matches!(n % 8, 3 | 5) {
            symbol = -symbol;
        }
        if a % 4 == 3 && n % 4 == 3 {
            symbol = -symbol;
        }
        (a, n) = (n % a, a);
    }
    if n == 1 {
        symbol
    } else {
        0
    }
}

fn is_square(n: u128) -> bool {
    // Newton's iteration again, from above.
    let mut root = 1 << ((u128::BITS - n.leading_zeros()).div_ceil(2));
    loop {
        let better = (root + n / root) / 2;
        if better >= root {
            return root * root == n;
        }
        root = better;
    }
}

#[cfg(test)]
mod tests {
    use super::{is_prime, is_square, wide_product, Ring, PROVEN};

    #[test]
    fn small_numbers_are_judged_as_a_sieve_does() {
        let mut prime = vec![true; 100_000];
        prime[0] = false;
        prime[1] = false;
        for n in 2..prime.len() {
            assert_eq!(is_prime(n as u128), prime[n], "{n}");
            if prime[n] {
                for multiple in (2 * n..prime.len()).step_by(n) {
                    prime[multiple] = false;
                }
            }
        }
    }

    #[test]
    fn around_powers_of_two() {
        // The distances from 2^bits, down, of primes: https://t5k.org/lists/2small
        for (bits, distances) in [
            (32, [5, 17, 65, 99, 107]),
            (63, [25, 165, 259, 301, 375]),
            (64, [59, 83, 95, 179, 189]),
            (127, [1, 25, 39, 295, 309]),
            (128, [159, 173, 233, 237, 275]),
        ] {
            let power = if bits == 128 { 0 } else { 1_u128 << bits };
            let primes: Vec<_> = (1..=distances[4])
                .filter(|distance| is_prime(power.wrapping_sub(*distance)))
                .collect();
            assert_eq!(primes, distances, "below 2^{bits}");
        }
        for mersenne in [61, 89, 107, 127] {
            assert!(is_prime((1 << mersenne) - 1), "2^{mersenne} - 1");
        }
        assert!(!is_prime(u128::MAX));
    }

    #[test]
    fn numbers_that_lie_are_seen_through() {
        for carmichael in [
            561,
            1105,
            1729,
            41041,
            825_265,
            321_197_185,
            9_746_347_772_161,
            // (6k + 1) (12k + 1) (18k + 1)
            279_936_000_785_363_040_734_447_757_828_944_441_089,
        ] {
            assert!(!is_prime(carmichael), "{carmichael}");
        }
        // The smallest strong pseudoprimes to the first 1, 2, 3 … 13 primes: OEIS A014233.
        for pseudoprime in [
            2047,
            1_373_653,
            25_326_001,
            3_215_031_751,
            2_152_302_898_747,
            3_474_749_660_383,
            341_550_071_728_321,
            3_825_123_056_546_413_051,
            318_665_857_834_031_151_167_461,
            PROVEN,
        ] {
            assert!(!is_prime(pseudoprime), "{pseudoprime}");
        }
    }

    #[test]
    fn products_of_two_large_primes_are_not_prime() {
        let large: [u128; 4] = [
            18_446_744_073_709_551_557,
            18_446_744_073_709_551_533,
            (1 << 61) - 1,
            4_294_967_291,
        ];
        for a in large {
            for b in large {
                assert!(!is_prime(a * b), "{a} * {b}");
            }
            assert!(is_square(a * a));
            assert!(!is_square(a * a - 1));
        }
    }

    #[test]
    fn each_test_alone_is_fooled_by_what_is_known_to_fool_it() {
        let fools = |passes: fn(&Ring) -> bool, until: u128| -> Vec<u128> {
            (43 * 43..until)
                .step_by(2)
                .filter(|n| !is_prime(*n) && passes(&Ring::modulo(*n)))
                .collect()
        };
        // OEIS A001262 and A217719.
        let miller_rabin = fools(|ring| ring.passes_miller_rabin(2), 10_000);
        assert_eq!(miller_rabin, [2047, 3277, 4033, 4681, 8321]);
        let lucas = fools(Ring::passes_lucas, 40_000);
        assert_eq!(
            lucas,
            [3239, 5777, 10877, 27971, 29681, 30739, 31631, 39059]
        );
        // To this one only the second test says no.
        let ring = Ring::modulo(PROVEN);
        assert!(super::PRIMES
            .into_iter()
            .all(|base| ring.passes_miller_rabin(base)));
        assert!(!ring.passes_lucas());
    }

    #[test]
    fn products_are_as_wide_as_they_must_be() {
        assert_eq!(wide_product(u128::MAX, u128::MAX), (u128::MAX - 1, 1));
        assert_eq!(wide_product(1 << 127, 6), (3, 0));
        assert_eq!(wide_product(u128::MAX, 2), (1, u128::MAX - 1));
    }
}
