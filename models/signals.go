package models

func keepSignalHandlers() (restore func()) { return func() {} }
