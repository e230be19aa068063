package main

import (
	"math/big"
	"strings"
)

const (
	longestToken = 39 // digits of 2^128
	mostBits     = 128
)

// isPrime says whether a token spells a prime number of up to 128 bits in decimal digits.
//
// A number has one spelling, without sign, blanks and leading zeros. Longer ones than the longest
// are not looked at: what comes from outside decides how much work there is.
func isPrime(token string) bool {
	if token == "" || len(token) > longestToken || token[0] == '0' || strings.Trim(token, "0123456789") != "" {
		return false
	}
	n, ok := new(big.Int).SetString(token, 10)
	// Without further rounds this is the test of Baillie, Pomerance, Selfridge and Wagstaff: proven
	// below 2^64, and beyond that no composite number is known to pass it.
	return ok && n.BitLen() <= mostBits && n.ProbablyPrime(0)
}
