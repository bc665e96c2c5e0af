// Package prometheus asks Prometheus' own code whether it understands what deploy/ has for it. It is a module apart:
// textmill itself requires none of that.
package prometheus
