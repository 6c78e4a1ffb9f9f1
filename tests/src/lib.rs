//! Black-box end-to-end tests against the real binary. They live in `e2e/`; this library is empty.
