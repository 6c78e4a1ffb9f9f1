//! What is issued: audiences, the keys that sign, the claims, and the session rows that record every token.
//!
//! Start with [`issuance`]: the main job of the product, in one file, as a chain of types
//!
//! ```text
//! PresentedKey → ApiKeyContext → Grant → Claims → SignedToken → IssuedToken
//!   key-admin      key-admin     policy  └────────── this crate ─────────┘
//! ```
//!
//! in which each can only be built from the one before: signing without a decision, or answering before the session
//! row is committed, does not compile.
//!
//! | module | what it gives |
//! |---|---|
//! | [`issuance`] | [`TokenIssuer::issue`] and [`TokenIssuer::preview`] |
//! | [`batch`], [`embed`], [`exchange`] | the same job as it is asked in other words: many at once, by Toucan AI's request, by OAuth's |
//! | [`checking`] | [`TokenIssuer::check_token`]: tokens that somebody presents; [`TokenIssuer::inspect_token`]: what is wrong with one |
//! | [`explain`], [`simulation`] | why a token would be issued or not; what another policy would change |
//! | [`playground`] | issuing for a person in the console |
//! | [`sample`] | what tokens would say after a change of their audience |
//! | [`audiences`] | who tokens are for, and how long they live |
//! | [`signing_keys`] | key rings: generation, sealing at rest, JWKS |
//! | [`claims`] | the payload of a token (RFC 9068) |
//! | [`installation_keys`], [`key_admin::sealing`], [`reseal`] | secrets at rest, and changing the master secret |
//! | [`sessions`] | one row per token, written in groups |
//! | [`renewal`] | a token that is about to end becomes the next one |
//! | `revocation` | what is void before its time |
//! | [`snapshot`] | the same for verifiers, signed |
//! | [`templates`] | claim templates: the payload in its consumer's form |
//! | [`metrics`] | how long the steps of issuing take, and what waits |
//! | `unrecorded` | signing alone, to measure it |
//! | [`metadata`] | the discovery documents |
//! | [`services`] | [`Services`]: everything that API, console and command line call, built in one place |

pub mod audiences;
pub mod batch;
pub mod checking;
pub mod claims;
pub mod embed;
pub mod exchange;
pub mod explain;
pub mod installation_keys;
pub mod issuance;
pub mod metadata;
pub mod metrics;
pub mod playground;
mod refusals;
pub mod renewal;
pub mod reseal;
mod revocation;
pub mod rings;
pub mod sample;
pub mod services;
pub mod sessions;
pub mod signing_keys;
pub mod simulation;
pub mod snapshot;
pub mod templates;
#[cfg(test)]
mod tests;
mod unrecorded;

pub use batch::BatchError;
pub use checking::{
    CheckTokenError, CheckedToken, InactiveToken, InspectError, Inspection, TokenProblem,
};
pub use claims::{Claims, ClaimsError, SignedToken};
pub use embed::EmbedRequest;
pub use exchange::{Exchange, ExchangeError, ExchangeSubject};
pub use explain::{ExplainError, Explained};
pub use issuance::{IssueError, IssueRequest, IssuedToken, Origin, TokenIssuer};
pub use metadata::{AuthorizationServerMetadata, PublicUrl};
pub use playground::PlaygroundError;
pub use renewal::RenewError;
pub use reseal::{Reseal, ResealError};
pub use rings::{OrganizationIssuer, StartError};
pub use sample::{Sample, SampleClaims, SampleError};
pub use services::{NewOrganization, ServiceSettings, Services};
pub use sessions::IssuanceLog;
pub use simulation::{SimulateError, SimulationReport, SimulationRequest};
pub use snapshot::{RevocationSnapshot, SnapshotError};
