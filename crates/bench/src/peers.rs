//! The product beside what its users would write instead: the one-pager in `examples/home-made`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use aws_lc_rs::digest::{SHA256, digest};
use key_admin::secrets::hex;
use serde_json::json;

use crate::load::Target;
use crate::product::{self, Product};
use crate::report::Report;
use crate::scratch::Scratch;
use crate::server_process::ServerProcess;
use crate::{LoadArgs, limit, output, same_work};

/// Measures, returns the table, leaves nothing behind.
pub(crate) async fn measure(args: &LoadArgs, node: &Path) -> anyhow::Result<String> {
    let scratch = Scratch::create()?;
    let embedded = format!("sqlite:{}", scratch.path().join("jeton.db").display());
    let database_url = args.database_url.as_deref().unwrap_or(&embedded);
    let engine = product::prepare(database_url).await?;
    let product = Product::start(scratch.path(), database_url).await?;
    let (limit_process, limit) = limit::start(&product.target)?;
    let (peer_process, peer) = start(scratch.path(), node, &product)?;
    let asked = limit.ask().await?;
    for other in [&product.target, &peer] {
        same_work::check(&asked, &other.ask().await?)?;
    }

    let (warm_up, load) = args.loads();
    let all = [&limit, &product.target, &peer];
    for target in all {
        target.drive(warm_up).await?;
    }
    let mut report = Report::new("limit", ["product", "one-pager"]);
    for round in 1..=args.rounds {
        let of_limit = limit.drive(load).await?;
        let of_product = product.target.drive(load).await?;
        let of_peer = peer.drive(load).await?;
        let seen = report.add(&of_limit, &[&of_product, &of_peer])?;
        output::talk(&format!("round {round}: {seen}"));
    }
    limit_process.stop().await?;
    peer_process.stop().await?;
    product.stop().await?;
    Ok(format!(
        "limit program, product on {engine:?}, one-pager on Node.js {}: {} cores, {} connections, {} rounds of {} s for \
         each server\n\n{}",
        version(node)?,
        std::thread::available_parallelism()?,
        args.connections,
        args.rounds,
        args.seconds,
        report.table(),
    ))
}

/// Starts the one-pager with the product's key as its only one.
fn start(
    directory: &Path,
    node: &Path,
    product: &Product,
) -> anyhow::Result<(ServerProcess, Target)> {
    let clients = directory.join("clients.json");
    let hash = hex(digest(&SHA256, product.api_key.as_bytes()).as_ref());
    std::fs::write(&clients, json!({ hash: "key_000000000000" }).to_string())?;
    let issuer = format!("http://{}/orgs/demo", product.target.address);
    let mut command = Command::new(node);
    command.arg(one_pager()).arg(clients).arg(issuer);
    let (process, address) = ServerProcess::start_and_hear(&mut command)?;
    let target = Target {
        name: "the one-pager",
        pid: process.pid(),
        address,
        requests: product.target.requests.clone(),
        expected: product.target.expected,
    };
    Ok((process, target))
}

fn one_pager() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/home-made/server.mjs")
}

fn version(node: &Path) -> anyhow::Result<String> {
    let output = Command::new(node).arg("--version").output();
    let output = output.with_context(|| format!("cannot start {}", node.display()))?;
    ensure!(output.status.success(), "{} does not run", node.display());
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
