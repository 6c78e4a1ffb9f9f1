//! The exchange while somebody floods the server with wrong secrets, or with logins: is it slower for those who have a
//! good key?

use std::fmt::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::http::Connection;
use crate::installation::{Installation, Server};
use crate::load::{Load, Target};
use crate::product::request;
use crate::report::median_of;
use crate::scratch::Scratch;
use crate::{LoadArgs, output, product, wrong_keys};

/// More failures than can be sent: what is measured is the work they cause, not the limit that is there to refuse it.
const NO_LIMIT: [(&str, &str); 6] = [
    ("JETON_KEYS__FAILED_CREDENTIALS__PER_MINUTE", "60000000"),
    ("JETON_KEYS__FAILED_CREDENTIALS__BURST", "1000000"),
    (
        "JETON_KEYS__SIGN_IN__FAILED_SIGN_INS_PER_CLIENT__PER_MINUTE",
        "60000000",
    ),
    (
        "JETON_KEYS__SIGN_IN__FAILED_SIGN_INS_PER_CLIENT__BURST",
        "1000000",
    ),
    (
        "JETON_KEYS__SIGN_IN__FAILED_SIGN_INS_PER_ACCOUNT__PER_MINUTE",
        "60000000",
    ),
    (
        "JETON_KEYS__SIGN_IN__FAILED_SIGN_INS_PER_ACCOUNT__BURST",
        "1000000",
    ),
];

/// Connections that exchange at a fixed rate, whatever the server does.
const EXCHANGERS: u16 = 8;
/// The time from one request of a connection to the next: 400 exchanges per second in all.
const EXCHANGE_EVERY: Duration = Duration::from_millis(20);

/// What the exchange is measured beside.
const KINDS: [&str; 3] = ["idle", "wrong secrets", "logins"];

/// One round of one kind.
#[derive(Clone, Copy, Debug)]
struct Figures {
    p50_ms: f64,
    p99_ms: f64,
    /// Answers to the flood, per second.
    flood: f64,
}

/// Measures, returns the table, leaves nothing behind.
pub(crate) async fn measure(args: &LoadArgs) -> anyhow::Result<String> {
    let scratch = Scratch::create()?;
    let embedded = format!("sqlite:{}", scratch.path().join("jeton.db").display());
    let database_url = args.database_url.as_deref().unwrap_or(&embedded);
    let engine = product::prepare(database_url).await?;
    let installation = Installation::create(scratch.path(), database_url)?;
    let server = installation.serve("flooded", &NO_LIMIT).await?;
    let exchange = target(&server, [request(&installation.api_key)], &[201]);
    let secrets = wrong_keys::with_wrong_secrets(&installation.api_key)?;
    let floods = [
        target(&server, secrets.map(|key| request(&key)), &[401, 503]),
        target(&server, [login(&server).await?], &[401, 503]),
    ];

    let (warm_up, load) = args.loads();
    exchange.drive(warm_up).await?;
    let mut rounds: Vec<[Figures; 3]> = Vec::new();
    for round in 1..=args.rounds {
        let figures = [
            beside(&exchange, None, load).await?,
            beside(&exchange, Some(&floods[0]), load).await?,
            beside(&exchange, Some(&floods[1]), load).await?,
        ];
        let [idle, secrets, logins] = figures.map(|it| it.p99_ms);
        output::talk(&format!(
            "round {round}: p99 {idle:.2} ms idle, {secrets:.2} beside wrong secrets, {logins:.2} beside logins"
        ));
        rounds.push(figures);
    }
    server.stop().await?;
    Ok(format!(
        "floods on {engine:?}: {} cores, {} connections flood, {} rounds of {} s for each kind; \
         {EXCHANGERS} connections exchange every {} ms\n\n{}",
        std::thread::available_parallelism()?,
        args.connections,
        args.rounds,
        args.seconds,
        EXCHANGE_EVERY.as_millis(),
        table(&rounds),
    ))
}

/// Exchanges at the fixed rate, beside a flood if there is one.
async fn beside(exchange: &Target, flood: Option<&Target>, load: Load) -> anyhow::Result<Figures> {
    let exchanged = exchange_steadily(exchange, load.duration);
    let (latencies, flooded) = match flood {
        Some(flood) => {
            let (latencies, flooded) = tokio::try_join!(exchanged, flood.drive(load))?;
            (latencies, f64::from(flooded.answered()?))
        }
        None => (exchanged.await?, 0.0),
    };
    let seconds = load.duration.as_secs_f64();
    let millis = |per_cent: usize| {
        // The shortest latency that this many per cent of the answers did not exceed.
        let rank = (latencies.len() * per_cent).div_ceil(100).max(1);
        let latency = latencies
            .get(rank - 1)
            .context("no exchange was answered")?;
        anyhow::Ok(latency.as_secs_f64() * 1_000.0)
    };
    Ok(Figures {
        p50_ms: millis(50)?,
        p99_ms: millis(99)?,
        flood: flooded / seconds,
    })
}

/// The latencies, shortest first. Each counts from the moment at which its request was due: a server that is late with one
/// answer is late with all that were due meanwhile.
async fn exchange_steadily(target: &Target, duration: Duration) -> anyhow::Result<Vec<Duration>> {
    let mut running = JoinSet::new();
    for number in 0..EXCHANGERS {
        let mut connection = Connection::open(target.address).await?;
        let request = target.requests[0].clone();
        // Not all at once.
        let offset = EXCHANGE_EVERY * u32::from(number) / u32::from(EXCHANGERS);
        running.spawn(async move {
            let begun = tokio::time::Instant::now() + offset;
            let mut due = tokio::time::interval_at(begun, EXCHANGE_EVERY);
            due.set_missed_tick_behavior(MissedTickBehavior::Burst);
            let mut latencies = Vec::new();
            loop {
                let tick: Instant = due.tick().await.into_std();
                if tick.duration_since(begun.into_std()) >= duration {
                    return anyhow::Ok(latencies);
                }
                let answer = connection.send(&request).await?;
                ensure!(answer.status == 201, "an exchange got {}", answer.status);
                latencies.push(tick.elapsed());
            }
        });
    }
    let mut all = Vec::new();
    while let Some(latencies) = running.join_next().await {
        all.extend(latencies??);
    }
    all.sort_unstable();
    Ok(all)
}

/// A wrong password for the owner, as the sign-in page sends it. Forms are tied to a cookie, which may be any.
async fn login(server: &Server) -> anyhow::Result<Box<[u8]>> {
    let cookie = "jeton-visitor=0123456789abcdef0123456789abcdef";
    let page = format!(
        "GET /console/sign-in HTTP/1.1\r\nhost: {}\r\ncookie: {cookie}\r\n\r\n",
        server.address
    );
    let mut connection = Connection::open(server.address).await?;
    let page = connection.send(page.as_bytes()).await?;
    let html = std::str::from_utf8(page.body)?;
    let token = html
        .split_once("name=\"_csrf\" value=\"")
        .and_then(|(_, rest)| rest.split('"').next())
        .context("the sign-in page has no form")?;
    let form = format!("_csrf={token}&email=ada%40example.com&password=not+the+password");
    let head = format!(
        "POST /console/sign-in HTTP/1.1\r\nhost: {}\r\ncookie: {cookie}\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n",
        server.address,
        form.len(),
    );
    Ok((head + form.as_str()).into_bytes().into())
}

fn target(
    server: &Server,
    requests: impl IntoIterator<Item = Box<[u8]>>,
    expected: &'static [u16],
) -> Target {
    Target {
        name: "the flooded server",
        pid: server.pid(),
        address: server.address,
        requests: requests.into_iter().collect(),
        expected,
    }
}

/// Medians of the rounds, and of their ratios to the idle server.
fn table(rounds: &[[Figures; 3]]) -> String {
    let mut table = format!(
        "{:15}  {:>10}  {:>10}  {:>10}  {:>10}",
        "beside", "p50 ms", "p99 ms", "p99 / idle", "flood/s"
    );
    for (kind, name) in KINDS.iter().enumerate() {
        let median = |pick: fn(&[Figures; 3], usize) -> f64| {
            median_of(rounds.iter().map(|round| pick(round, kind)))
        };
        let _ = write!(
            table,
            "\n{name:15}  {:>10.2}  {:>10.2}  {:>10.2}  {:>10.0}",
            median(|round, kind| round[kind].p50_ms),
            median(|round, kind| round[kind].p99_ms),
            median(|round, kind| round[kind].p99_ms / round[0].p99_ms),
            median(|round, kind| round[kind].flood),
        );
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_compares_each_flood_with_the_idle_server_of_its_round() {
        let figures = |p99_ms, flood| Figures {
            p50_ms: 1.0,
            p99_ms,
            flood,
        };
        let rounds = [
            [figures(2.0, 0.0), figures(3.0, 500.0), figures(8.0, 20.0)],
            [figures(4.0, 0.0), figures(6.0, 700.0), figures(4.0, 40.0)],
        ];
        let table = table(&rounds);
        let lines: Vec<Vec<&str>> = table
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(lines[1], ["idle", "1.00", "3.00", "1.00", "0"]);
        assert_eq!(
            lines[2],
            ["wrong", "secrets", "1.00", "4.50", "1.50", "600"]
        );
        assert_eq!(lines[3], ["logins", "1.00", "6.00", "2.50", "30"]);
    }
}
