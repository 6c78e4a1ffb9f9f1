//! Jeton's web console: pages over the same services as the API. It parses forms, calls, and renders; it holds no SQL and
//! no rules.
//!
//! | module | what it gives |
//! |---|---|
//! | [`routes`] | all pages, for the server to merge beside the API |
//! | `pages` | one module per noun: handlers, what templates show, the forms |
//! | `person` | extractors for who has signed in: `Person` holds the permission that the page needs |
//! | `cookies`, `csrf` | the session's cookie; proof that a form is ours |
//! | `form` | posted forms: size, forgery, fields |
//! | `page` | what every page shows around its content |
//! | `field` | an input with its label, its value and its error |
//! | `typed` | attribute values as people type them |
//! | `highlight` | JSON in colours |
//! | `when` | times as people read them |
//! | `snippets` | code that people paste |
//! | `failure` | errors as pages |
//! | [`single_sign_on`] | the round trip through a provider |
//! | `assets` | the stylesheet and the scripts, from the binary |
//!
//! Templates are in `templates/`, a directory per noun, checked at compile time. They escape what they show; the exceptions
//! are types that implement askama's `HtmlSafe`, which are templates themselves, and no template says `|safe`. There is no inline script and no style attribute: the content security
//! policy forbids both.
//! Pages work without JavaScript. With it, htmx refreshes fragments, and `console.js` copies and counts down.

mod assets;
mod cookies;
mod csrf;
mod failure;
mod field;
mod form;
mod highlight;
mod page;
mod pages;
mod person;
mod router;
pub mod single_sign_on;
mod snippets;
mod state;
mod typed;
mod when;

pub use router::routes;
pub use state::ConsoleState;
