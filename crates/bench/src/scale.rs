//! Is the exchange as cheap in a large installation as in a small one? Four axes, each with servers of its own sizes that
//! are driven in turn: API keys, rules of one policy, subjects, organizations.

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::decide::document;
use crate::http::Connection;
use crate::installation::{Installation, Server};
use crate::load::{Load, Round, Target};
use crate::product::{self, message, request, request_for};
use crate::report::{aligned, cells, median_of, spread};
use crate::scratch::Scratch;
use crate::{crowd, output};

/// The most keys that requests are spread over: more than any cache of a processor holds, and few enough that every one of
/// them comes several times in a round.
const MOST_DRIVEN: u32 = 10_000;
/// How often each request is sent before anything is counted: the first is for the slow hash.
const PASSES_BEFORE: usize = 2;

/// What grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Axis {
    /// API keys of one organization
    Keys,
    /// Rules of one organization's policy
    Rules,
    /// Subjects that one API key asks for
    Subjects,
    /// Organizations with a key each
    Organizations,
}

/// One size of an axis, with its server.
struct Case {
    size: u32,
    server: Server,
    target: Target,
    rates: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
    cpu: Vec<f64>,
    resident_mib: f64,
}

impl Axis {
    pub(crate) const ALL: [Self; 4] =
        [Self::Keys, Self::Rules, Self::Subjects, Self::Organizations];

    const fn name(self) -> &'static str {
        match self {
            Self::Keys => "API keys",
            Self::Rules => "policy rules",
            Self::Subjects => "subjects",
            Self::Organizations => "organizations",
        }
    }

    const fn sizes(self) -> &'static [u32] {
        match self {
            Self::Keys | Self::Rules => &[10, 1_000, 100_000],
            Self::Subjects => &[1, 1_000, 100_000],
            Self::Organizations => &[1, 100, 10_000],
        }
    }

    /// Fills an installation, and gives the requests that its server is driven with.
    async fn requests(self, installation: &Installation, size: u32) -> anyhow::Result<Requests> {
        let services = installation.services().await?;
        let like = &installation.api_key;
        let keys = match self {
            Self::Keys => crowd::add_keys(&services, like, size).await?,
            Self::Organizations => crowd::add_organizations(&services, like, size).await?,
            Self::Rules | Self::Subjects => Vec::new(),
        };
        services.database.close().await;
        let mut requests: Vec<Box<[u8]>> = match self {
            Self::Keys | Self::Organizations => keys.iter().map(|key| request(key)).collect(),
            Self::Rules => of_roles(like, size)?,
            Self::Subjects => of_subjects(like, size)?,
        };
        // From all over, where not all are sent.
        let step = requests.len().div_ceil(MOST_DRIVEN as usize).max(1);
        let mut number = 0;
        requests.retain(|_| {
            number += 1;
            number % step == 0
        });
        Ok(requests)
    }
}

type Requests = Vec<Box<[u8]>>;

/// Measures these axes, returns the tables, leaves nothing behind.
pub(crate) async fn measure(
    axes: &[Axis],
    sizes: &[u32],
    rounds: u32,
    load: Load,
) -> anyhow::Result<String> {
    let axes = if axes.is_empty() { &Axis::ALL } else { axes };
    let mut tables = vec![format!(
        "exchange on Sqlite: {} cores, {} connections, {rounds} rounds of {} s for each size\n\
         median (lowest to highest)",
        std::thread::available_parallelism()?,
        load.connections,
        load.duration.as_secs(),
    )];
    for axis in axes {
        let sizes = if sizes.is_empty() {
            axis.sizes()
        } else {
            sizes
        };
        tables.push(measure_axis(*axis, sizes, rounds, load).await?);
    }
    Ok(tables.join("\n\n"))
}

async fn measure_axis(
    axis: Axis,
    sizes: &[u32],
    rounds: u32,
    load: Load,
) -> anyhow::Result<String> {
    let scratch = Scratch::create()?;
    let mut cases = Vec::new();
    for size in sizes {
        output::talk(&format!("making {size} {}", axis.name()));
        cases.push(Case::start(&scratch, axis, *size, load).await?);
    }
    for round in 1..=rounds {
        for case in &mut cases {
            let driven = case.target.drive(load).await?;
            case.add(&driven)?;
        }
        output::talk(&format!("{}: round {round}", axis.name()));
    }
    let table = table(axis, &cases);
    for case in cases {
        case.server.stop().await?;
    }
    Ok(table)
}

impl Case {
    async fn start(scratch: &Scratch, axis: Axis, size: u32, load: Load) -> anyhow::Result<Self> {
        let name = format!("{axis:?}-{size}");
        let installation = Installation::create_embedded(scratch, &name).await?;
        let requests = axis.requests(&installation, size).await?;
        let server = installation.serve("jeton", &[]).await?;
        if axis == Axis::Rules {
            put_policy(&installation, &server, size).await?;
        }
        let target = Target {
            name: "the server",
            pid: server.pid(),
            address: server.address,
            requests: requests.into(),
            expected: &[201],
        };
        for _ in 0..PASSES_BEFORE {
            target.drive_once(load.connections).await?;
        }
        Ok(Self {
            size,
            server,
            target,
            rates: Vec::new(),
            p50: Vec::new(),
            p99: Vec::new(),
            cpu: Vec::new(),
            resident_mib: 0.0,
        })
    }

    fn add(&mut self, round: &Round) -> anyhow::Result<()> {
        self.rates.push(round.rate()?);
        self.p50.push(round.percentile(50)?.as_secs_f64() * 1e3);
        self.p99.push(round.percentile(99)?.as_secs_f64() * 1e3);
        self.cpu.push(round.cpu_micros()?);
        self.resident_mib = f64::from(round.resident_kib) / 1024.0;
        Ok(())
    }

    fn line(&self) -> Vec<String> {
        vec![
            self.size.to_string(),
            self.target.requests.len().to_string(),
            spread(&self.rates, 0),
            spread(&self.p50, 2),
            spread(&self.p99, 2),
            spread(&self.cpu, 1),
            format!("{:.1}", self.resident_mib),
        ]
    }
}

/// The sizes, and CPU time per request at the largest over that at the smallest: of the medians, and round by round.
fn table(axis: Axis, cases: &[Case]) -> String {
    let mut lines = vec![cells([
        axis.name(),
        "driven",
        "requests/s",
        "p50 ms",
        "p99 ms",
        "CPU µs/request",
        "RSS MiB",
    ])];
    lines.extend(cases.iter().map(Case::line));
    let (Some(first), Some(last)) = (cases.first(), cases.last()) else {
        return aligned(&lines);
    };
    let of_medians = median_of(last.cpu.iter().copied()) / median_of(first.cpu.iter().copied());
    let of_rounds = last.cpu.iter().zip(&first.cpu);
    let of_rounds: Vec<f64> = of_rounds.map(|(last, first)| last / first).collect();
    format!(
        "{}\nCPU per request, {} / {}: {of_medians:.2}; of single rounds {}",
        aligned(&lines),
        last.size,
        first.size,
        spread(&of_rounds, 2),
    )
}

/// One request for each role that inherits nothing, so that tokens are alike whatever the size.
fn of_roles(api_key: &str, rules: u32) -> anyhow::Result<Requests> {
    let policy = document(rules as usize);
    let roles = policy["roles"].as_array().context("there are no roles")?;
    let alone = |role: &&Value| role["inherits"].as_array().is_none_or(Vec::is_empty);
    let bodies = roles.iter().filter(alone).map(|role| {
        let mut body: Value = serde_json::from_str(product::BODY)?;
        body["user"]["roles"][0] = role["name"].clone();
        Ok(request_for(api_key, &body.to_string()))
    });
    bodies.collect()
}

/// One request for each subject, in no order.
fn of_subjects(api_key: &str, subjects: u32) -> anyhow::Result<Requests> {
    // A prime: each number comes once, but where the size is a multiple of it.
    const STEP: u64 = 7_919;
    let bodies = (0..u64::from(subjects)).map(|number| {
        let subject = number * STEP % u64::from(subjects);
        let mut body: Value = serde_json::from_str(product::BODY)?;
        body["user"]["id"] = format!("user-{subject:06}").into();
        Ok(request_for(api_key, &body.to_string()))
    });
    bodies.collect()
}

/// Gives the organization a policy of this many rules, as its operators would.
async fn put_policy(
    installation: &Installation,
    server: &Server,
    rules: u32,
) -> anyhow::Result<()> {
    let policy = document(rules as usize).to_string();
    let mut connection = Connection::open(server.address).await?;
    let message = message("PUT /v1/policy", &installation.api_key, &policy);
    let answer = connection.send(&message).await?;
    ensure!(
        answer.status == 200,
        "the policy was not taken: {} {}",
        answer.status,
        String::from_utf8_lossy(&answer.body[..answer.body.len().min(1000)])
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_subject_is_asked_for_once() {
        for size in [1, 1_000, 7_920] {
            let requests = of_subjects("jtn_x", size).unwrap();
            let different: std::collections::BTreeSet<_> = requests.iter().collect();
            assert_eq!(different.len(), size as usize);
            let length = requests[0].len();
            assert!(requests.iter().all(|request| request.len() == length));
        }
    }

    #[test]
    fn roles_that_are_asked_for_are_alike() {
        let requests = of_roles("jtn_x", 1_000).unwrap();
        assert_eq!(requests.len(), 90);
        let text = String::from_utf8(requests[0].to_vec()).unwrap();
        assert!(text.contains(r#""roles":["role-0"]"#), "{text}");
        assert_eq!(of_roles("jtn_x", 10).unwrap().len(), 1);
    }
}
