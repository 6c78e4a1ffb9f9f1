//! The clients of `openapi/sdk`: generated from the committed documents, compiled without a warning, packaged, and used
//! against a live server.
//!
//! Every language plays the same scenario, `tests/sdk/scenario.*`: it makes keys, declares a role and an attribute,
//! issues, introspects, lists and revokes; sees a 422 with its field errors and a 401; recovers from a 429; and gets
//! tokens through the cache, one request for many callers, and a new one ahead of the end. Before that it bears a bad day
//! of a server, `tests/sdk/faults.*`.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::support::{UnsteadyServer, decode, node, on_both_engines, repository};

/// Runs a command that must succeed, and gives what it prints.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let (stdout, stderr) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8_lossy(&output.stderr),
    );
    let status = output.status;
    assert!(
        status.success(),
        "{command:?}: {status}\n{stdout}\n{stderr}"
    );
    stdout
}

fn sdk() -> PathBuf {
    repository().join("target/sdk")
}

/// A program that `openapi/sdk/generate --tools` installs.
fn tool(name: &str) -> PathBuf {
    repository().join("target/sdk-tools/venv/bin").join(name)
}

/// Generates and packages one client; the answer is its package.
fn generate(language: &str) -> PathBuf {
    let script = repository().join("openapi/sdk/generate");
    let printed = run(Command::new("python3").arg(script).arg(language));
    let package = PathBuf::from(printed.trim_end());
    assert!(package.is_file(), "{printed}");
    package
}

/// An empty directory for what uses a client.
fn user_of(language: &str) -> PathBuf {
    let directory = sdk().join("users").join(language);
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

/// Copies a file of the repository.
fn copy(file: impl AsRef<Path>, to: &Path) {
    let file = repository().join(file);
    std::fs::copy(&file, to).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
}

/// Bears the bad day, and asks exactly as often as it should.
fn bears(mut faults: Command, further: &[(&str, usize)]) {
    let server = UnsteadyServer::start();
    faults.env("JETON_URL", &server.url);
    run(faults.env("JETON_API_KEY", UnsteadyServer::KEY));
    let expected = [
        ("busy", 1),
        ("down", 4),
        ("elsewhere", 1),
        // The first token; four times for the next while the first one holds, and four times after its end.
        ("fading", 1 + 4 + 4),
        ("later", 1),
        ("proxy", 1),
        ("recovering", 3),
        ("refused", 3),
    ];
    let expected = expected.iter().chain(further);
    let expected = expected.map(|(case, count)| ((*case).to_owned(), *count));
    assert_eq!(server.counts(), expected.collect());
}

/// Plays the scenario on both engines, and then runs the example program of the kit.
async fn plays(scenario: impl Fn() -> Command, example: impl Fn() -> Command) {
    on_both_engines(|app| {
        let (mut scenario, mut example) = (scenario(), example());
        async move {
            for command in [&mut scenario, &mut example] {
                let url = app.server.url();
                command.env("JETON_URL", url).env("JETON_API_KEY", &app.key);
            }
            let sessions: Vec<String> = serde_json::from_str(&run(&mut scenario)).unwrap();
            assert!(sessions.len() >= 3, "{sessions:?}");
            for session in &sessions {
                let answer = json!({ "session_id": session });
                assert!(app.has_session(&answer).await, "{session}");
            }
            // Nothing was issued beside what the programs know of.
            let known = i64::try_from(sessions.len()).unwrap();
            assert_eq!(app.count_sessions().await, known);
            let token = run(&mut example);
            assert_eq!(decode(token.trim_end()).1["sub"], "user-42");
            assert_eq!(app.count_sessions().await, known + 1);
        }
    })
    .await;
}

#[tokio::test]
async fn the_typescript_client_compiles_strictly_and_plays_the_scenario() {
    let package = generate("typescript");
    let user = user_of("typescript");
    let modules = user.join("node_modules/jeton-client");
    std::fs::create_dir_all(&modules).unwrap();
    let mut unpack = Command::new("tar");
    unpack.args(["--strip-components=1", "-xzf"]).arg(package);
    run(unpack.arg("-C").arg(modules));
    let tools = repository().join("target/sdk-tools/npm/node_modules");
    std::os::unix::fs::symlink(tools.join("@types"), user.join("node_modules/@types")).unwrap();
    std::fs::write(user.join("package.json"), r#"{ "type": "module" }"#).unwrap();
    copy("tests/sdk/tsconfig.json", &user.join("tsconfig.json"));
    for program in ["scenario.ts", "faults.ts"] {
        copy(Path::new("tests/sdk").join(program), &user.join(program));
    }
    let example = "openapi/sdk/typescript/examples/issue-token.ts";
    copy(example, &user.join("issue-token.ts"));
    let compiler = tools.join("typescript/bin/tsc");
    run(Command::new(node()).arg(compiler).current_dir(&user));
    let program = |name: &str| {
        let mut command = Command::new(node());
        command.arg(user.join("dist").join(name));
        command
    };
    bears(program("faults.js"), &[]);
    plays(|| program("scenario.js"), || program("issue-token.js")).await;
}

#[tokio::test]
async fn the_python_client_is_typed_strictly_and_plays_the_scenario() {
    let package = generate("python");
    let user = user_of("python");
    let mut install = Command::new(tool("python"));
    install.args(["-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]);
    run(install.arg("--target").arg(user.join("site")).arg(package));
    for program in ["scenario.py", "faults.py"] {
        copy(Path::new("tests/sdk").join(program), &user.join(program));
    }
    let example = "openapi/sdk/python/examples/issue_token.py";
    copy(example, &user.join("issue_token.py"));
    let mut types = Command::new(tool("mypy"));
    types
        .args(["--strict", "--python-executable"])
        .arg(tool("python"));
    types.args(["scenario.py", "faults.py", "issue_token.py"]);
    types.arg(sdk().join("python/src/jeton"));
    run(types.current_dir(&user));
    let program = |name: &str| {
        let mut command = Command::new(tool("python"));
        command
            .arg(user.join(name))
            .env("PYTHONPATH", user.join("site"));
        command
    };
    bears(program("faults.py"), &[("asyncio", 3)]);
    plays(|| program("scenario.py"), || program("issue_token.py")).await;
}

#[tokio::test]
async fn the_rust_client_compiles_without_a_warning_and_plays_the_scenario() {
    generate("rust");
    let kit = sdk().join("rust");
    for program in ["scenario.rs", "faults.rs"] {
        copy(
            Path::new("tests/sdk").join(program),
            &kit.join("examples").join(program),
        );
    }
    let own = ["src/client", "src/problem", "src/retry", "src/tokens"];
    let users = ["issue_token", "scenario", "faults"].map(|it| format!("examples/{it}"));
    let files = own.into_iter().chain(users.iter().map(String::as_str));
    let files = files.map(|it| kit.join(it).with_extension("rs"));
    run(Command::new("rustfmt")
        .args(["--check", "--edition", "2024"])
        .args(files));
    let target = repository().join("target/sdk-tools/rust-target");
    let mut build = Command::new("cargo");
    // Without TLS, which is only another transport: it would take longer to compile than all the rest.
    build.args([
        "build",
        "--locked",
        "--offline",
        "--examples",
        "--no-default-features",
    ]);
    build
        .arg("--target-dir")
        .arg(&target)
        .env("RUSTFLAGS", "-D warnings")
        .env("CARGO_PROFILE_DEV_DEBUG", "0");
    run(build.current_dir(&kit));
    let program = |name: &str| Command::new(target.join("debug/examples").join(name));
    bears(program("faults"), &[]);
    plays(|| program("scenario"), || program("issue_token")).await;
}

#[tokio::test]
async fn the_go_client_passes_vet_and_plays_the_scenario() {
    let package = generate("go");
    let version = package.file_stem().unwrap().to_str().unwrap();
    let kit = sdk().join("go");
    assert_eq!(run(go("gofmt", &kit).args(["-l", "."])), "");
    run(go("go", &kit).args(["vet", "./..."]));
    let user = user_of("go");
    for program in ["scenario", "faults"] {
        std::fs::create_dir(user.join(program)).unwrap();
        let file = Path::new(program).join("main.go");
        copy(Path::new("tests/sdk/go").join(&file), &user.join(file));
    }
    let module =
        format!("module scenario\n\ngo 1.23\n\nrequire jeton.example/go/jeton {version}\n");
    std::fs::write(user.join("go.mod"), module).unwrap();
    assert_eq!(run(go("gofmt", &user).args(["-l", "."])), "");
    run(go("go", &user).args(["vet", "./..."]));
    let example = "jeton.example/go/jeton/examples/issue";
    run(go("go", &user).args(["build", "-o", "bin/", "./scenario", "./faults", example]));
    let program = |name: &str| Command::new(user.join("bin").join(name));
    bears(program("faults"), &[]);
    plays(|| program("scenario"), || program("issue")).await;
}

/// A command of Go, with nothing but the package of the client to take modules from.
fn go(name: &str, directory: &Path) -> Command {
    let root = "import go; print(go.__path__[0])";
    let root = run(Command::new(tool("python")).args(["-c", root]));
    let root = Path::new(root.trim_end());
    let tools = repository().join("target/sdk-tools");
    let modules = format!("file://{}", sdk().join("packages/go").display());
    let mut command = Command::new(root.join("bin").join(name));
    command.current_dir(directory).env("GOROOT", root);
    command.env("GOCACHE", tools.join("go-cache"));
    // Go takes it that a version of a module never changes. This one does, with the document.
    command.env("GOPATH", directory.join("path"));
    command.env("GODEBUG", "goindex=0");
    command.env("GOPROXY", modules).env("GOSUMDB", "off");
    command.env("GOFLAGS", "-mod=mod -modcacherw -buildvcs=false");
    command.env("GOTOOLCHAIN", "local");
    command
}

#[test]
fn the_readmes_show_the_example_programs_as_they_are() {
    for (language, example) in [
        ("typescript", "issue-token.ts"),
        ("python", "issue_token.py"),
        ("rust", "issue_token.rs"),
        ("go", "issue/main.go"),
    ] {
        let kit = repository().join("openapi/sdk").join(language);
        let readme = std::fs::read_to_string(kit.join("README.md")).unwrap();
        let program = std::fs::read_to_string(kit.join("examples").join(example)).unwrap();
        assert!(readme.contains(&format!("\n{program}```\n")), "{language}");
    }
}
