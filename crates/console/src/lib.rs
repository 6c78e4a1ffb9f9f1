//! Jeton's web console.
