//! Logs go to standard error: text on a terminal, JSON lines otherwise.
//!
//! | module | what it does |
//! |---|---|
//! | [`json`] | writes a line |
//! | [`sink`] | hands lines to the operating system, beside the work that they tell of |

mod json;
mod sink;

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogFormat, LogSettings};
use crate::failure::Failure;
use json::{JsonFields, JsonLines};
use sink::Sink;

/// Keeps the log going. When it is dropped, every line is out.
#[derive(Debug)]
#[must_use = "the log ends with it"]
pub(crate) struct Log {
    _sink: Sink,
}

/// Starts logging, and takes over from the default panic message, which would print whatever the panic quotes.
pub(crate) fn start(settings: &LogSettings) -> Result<Log, Failure> {
    let filter = EnvFilter::try_new(&settings.filter).map_err(Failure::input)?;
    let json = match settings.format {
        LogFormat::Text => false,
        LogFormat::Json => true,
        LogFormat::Auto => !std::io::stderr().is_terminal(),
    };
    let notice = if json { json::dropped } else { dropped };
    let sink = Sink::start(std::io::stderr(), notice).map_err(Failure::server)?;
    let registry = tracing_subscriber::registry().with(filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(sink.lines());
    if json {
        registry
            .with(lines.fmt_fields(JsonFields).event_format(JsonLines))
            .init();
    } else {
        registry.with(lines.with_target(false)).init();
    }
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        tracing::error!(place, "panic");
    }));
    Ok(Log { _sink: sink })
}

/// Says that lines are missing.
fn dropped(lines: u64) -> String {
    format!("WARN {lines} log lines were dropped: nobody read them")
}
