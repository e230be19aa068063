package main

import (
	"strconv"
	"strings"
	"testing"
)

func TestPrimesAreSeenAsSuch(t *testing.T) {
	for _, token := range []string{
		"2",
		"3",
		"32323",
		"4294967291",           // 2^32 - 5
		"18446744073709551557", // 2^64 - 59, the largest of 64 bits
		"18446744073709551629", // 2^64 + 13, the smallest beyond
		"170141183460469231731687303715884105727", // 2^127 - 1
		"340282366920938463463374607431768211297", // 2^128 - 159, the largest of 128 bits
	} {
		if !isPrime(token) {
			t.Errorf("%s is prime", token)
		}
	}
}

func TestSmallNumbersAreJudgedAsASieveDoes(t *testing.T) {
	composite := [10_000]bool{0: true, 1: true}
	for n := range composite {
		if isPrime(strconv.Itoa(n)) == composite[n] {
			t.Errorf("%d is misjudged", n)
		}
		for multiple := 2 * n; !composite[n] && multiple < len(composite); multiple += n {
			composite[multiple] = true
		}
	}
}

func TestAnythingElseIsNone(t *testing.T) {
	for name, token := range map[string]string{
		"nothing":                      "",
		"zero":                         "0",
		"one":                          "1",
		"a Carmichael number":          "561",
		"a large one":                  "279936000785363040734447757828944441089",
		"a strong pseudoprime to 2":    "2047",
		"to the first 9 primes":        "3825123056546413051",
		"to the first 13":              "3317044064679887385961981",
		"a square of a large prime":    "340282366920938461286658806734041124249",
		"2^128 - 1":                    "340282366920938463463374607431768211455",
		"2^128 + 51, a prime too long": "340282366920938463463374607431768211507",
		"a sign":                       "+7",
		"another":                      "-7",
		"leading zeros":                "007",
		"more of them":                 strings.Repeat("0", 50_000) + "7",
		"a blank":                      " 7",
		"a fraction":                   "7.0",
		"hexadecimal":                  "0x7",
		"an underscore":                "1_1",
		"letters":                      "seven",
		"no text":                      "\xff",
		"Arabic digits":                "\u0667",
		"a lot of digits":              strings.Repeat("7", 60_000),
	} {
		if isPrime(token) {
			t.Errorf("%s (%.40s) is none", name, token)
		}
	}
}

func BenchmarkTheLargest(b *testing.B) {
	for b.Loop() {
		isPrime("340282366920938463463374607431768211297")
	}
}
