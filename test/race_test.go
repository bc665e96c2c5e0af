//go:build race

package test

func init() { raceFlag = "-race" }
