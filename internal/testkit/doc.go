// Package testkit is what the tests of this repository share: an emulator in the
// test's own process or one that runs as a program, the calls that tests make of
// it, and the small applications, phones and cards that log in. It is for our
// own tests; others import pscemutest.
package testkit
