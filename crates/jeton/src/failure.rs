use std::fmt;
use std::process::ExitCode;

/// Why a command failed, and whose fault it is.
#[derive(Debug)]
pub(crate) struct Failure {
    error: anyhow::Error,
    exit_code: u8,
}

impl Failure {
    /// What was typed or configured cannot be used: exit code 1.
    pub(crate) fn input(error: impl Into<anyhow::Error>) -> Self {
        Self {
            error: error.into(),
            exit_code: 1,
        }
    }

    /// The server, its database or its machine failed: exit code 2.
    pub(crate) fn server(error: impl Into<anyhow::Error>) -> Self {
        Self {
            error: error.into(),
            exit_code: 2,
        }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.exit_code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The whole chain of causes on one line.
        write!(f, "{:#}", self.error)
    }
}

impl From<storage::StorageError> for Failure {
    fn from(error: storage::StorageError) -> Self {
        match error {
            storage::StorageError::Url(_) | storage::StorageError::Schema(_) => Self::input(error),
            other => Self::server(other),
        }
    }
}

impl From<token_issuer::services::ServicesError> for Failure {
    fn from(error: token_issuer::services::ServicesError) -> Self {
        use token_issuer::services::ServicesError as E;
        match error {
            E::Rings(error) => error.into(),
            E::Storage(error) => error.into(),
            other => Self::server(other),
        }
    }
}

impl From<token_issuer::StartError> for Failure {
    fn from(error: token_issuer::StartError) -> Self {
        use token_issuer::StartError as E;
        match error {
            E::SealedKey { .. } | E::InstallationKey { .. } | E::WrongMasterSecret => {
                Self::input(error)
            }
            E::Storage(error) => error.into(),
            other => Self::server(other),
        }
    }
}

impl From<token_issuer::ResealError> for Failure {
    fn from(error: token_issuer::ResealError) -> Self {
        use token_issuer::ResealError as E;
        match error {
            E::Start(error) => error.into(),
            E::Storage(error) => error.into(),
            E::Seal(error) => Self::server(error),
        }
    }
}
