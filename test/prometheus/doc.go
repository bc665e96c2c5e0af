// Package prometheus asks the code of Prometheus and Grafana whether they understand what deploy/ has for them. It is
// a module apart: textmill itself requires none of that.
package prometheus
