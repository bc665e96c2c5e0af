// Package test runs the textmill binary as its users do.
package test
