//! Audiences and their signing keys, over HTTP.

use std::path::Path;

use anyhow::{Context, anyhow};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};
use storage::AudienceId;

use super::duration::Longest;
use super::{nothing_to_change, secret_input};
use crate::cli::{
    AudienceAction, AudienceSettingArgs, CreateAudienceArgs, ImportKeyArgs, KeyFileArgs,
    SigningKeyAction, SubjectArg, UpdateAudienceArgs,
};
use crate::client::Client;
use crate::failure::Failure;
use crate::output::{self, Column};

const AUDIENCES: &[Column] = &[
    Column::text("NAME", "/name"),
    Column::text("AUD", "/aud"),
    Column::text("ALGORITHM", "/algorithm"),
    Column::text("DEFAULT TTL", "/default_ttl_seconds"),
    Column::text("MAX TTL", "/max_ttl_seconds"),
    Column::text("RENEWED FOR", "/renewal/session_seconds").otherwise("no"),
    Column::text("ID", "/id"),
    Column::text("ORIGINS", "/authorized_origins").only_in_csv(),
    Column::text("MAX TOKEN BYTES", "/max_token_bytes").only_in_csv(),
    Column::text("TEMPLATE", "/claims/template").only_in_csv(),
    Column::text("JWKS URI", "/jwks_uri").only_in_csv(),
    Column::time("CREATED", "/created_at").only_in_csv(),
];

const PRESETS: &[Column] = &[
    Column::text("NAME", "/name"),
    Column::text("CONSUMER", "/consumer"),
    Column::text("ALGORITHMS", "/algorithms"),
    Column::text("GIVEN BY THE CONSUMER", "/given"),
    Column::text("NOTES", "/notes").only_in_csv(),
    Column::text("DOCUMENTATION", "/documentation").only_in_csv(),
    Column::text("TEMPLATE", "/template").only_in_csv(),
];

const KEYS: &[Column] = &[
    Column::text("KID", "/kid"),
    Column::text("STATE", "/state"),
    Column::time("SIGNS SINCE", "/activated_at").otherwise("not yet"),
    Column::time("CREATED", "/created_at"),
];

pub(crate) async fn audiences(action: AudienceAction) -> Result<(), Failure> {
    let client = Client::configured()?;
    match action {
        AudienceAction::List(args) => {
            let all = client.list(&["v1", "audiences"], &[], usize::MAX).await?;
            output::list(&all, AUDIENCES, args.output)
        }
        AudienceAction::Get(args) => {
            let id = id_of(&client, &args.of.audience).await?;
            let one = client.get(&["v1", "audiences", &id], &[]).await?;
            output::entry(&one, AUDIENCES, args.output)
        }
        AudienceAction::Create(args) => create(&client, *args).await,
        AudienceAction::Update(args) => update(&client, *args).await,
        AudienceAction::Delete(args) => {
            let id = id_of(&client, &args.audience).await?;
            client.delete(&["v1", "audiences", &id], &[]).await?;
            output::talk(&format!("{} is deleted", args.audience));
            Ok(())
        }
        AudienceAction::Presets(args) => {
            let answer = client.get(&["v1", "audience-presets"], &[]).await?;
            output::list(entries(&answer)?, PRESETS, args.output)
        }
    }
}

pub(crate) async fn signing_keys(action: SigningKeyAction) -> Result<(), Failure> {
    let client = Client::configured()?;
    let (keys, format) = match action {
        SigningKeyAction::List(args) => {
            let id = id_of(&client, &args.of.audience).await?;
            let path = ["v1", "audiences", &id, "signing-keys"];
            (client.get(&path, &[]).await?, args.output)
        }
        SigningKeyAction::Rotate(args) => {
            let id = id_of(&client, &args.of.audience).await?;
            let path = ["v1", "audiences", &id, "signing-keys", "rotate"];
            (client.post(&path, None).await?, args.output)
        }
        SigningKeyAction::Retire(args) => {
            let id = id_of(&client, &args.of.audience).await?;
            let path = ["v1", "audiences", &id, "signing-keys", &args.kid, "retire"];
            (client.post(&path, None).await?, args.output)
        }
        SigningKeyAction::Import(args) => return import(&client, args).await,
    };
    output::list(entries(&keys)?, KEYS, format)
}

async fn create(client: &Client, args: CreateAudienceArgs) -> Result<(), Failure> {
    let mut body = settings(&args.settings)?;
    if let Some(renewal) = renewal(&args.settings, None)? {
        body.insert("renewal".into(), renewal);
    }
    let secret = args.secret_file.as_deref().map(secret).transpose()?;
    let said = [
        ("name", Some(args.name)),
        ("preset", args.preset),
        ("algorithm", args.algorithm),
        ("secret", secret),
    ];
    for (member, value) in said {
        if let Some(value) = value {
            body.insert(member.into(), value.into());
        }
    }
    let made = client.post(&["v1", "audiences"], Some(body.into())).await?;
    output::entry(&made, AUDIENCES, args.output)
}

async fn update(client: &Client, args: UpdateAudienceArgs) -> Result<(), Failure> {
    let mut change = settings(&args.settings)?;
    let said = &args.settings;
    let about_renewal = said.renew_for.is_some() || said.grace.is_some() || said.idle.is_some();
    if change.is_empty() && !about_renewal {
        return Err(nothing_to_change());
    }
    let id = id_of(client, &args.of.audience).await?;
    let path = ["v1", "audiences", &id];
    if about_renewal {
        // The API takes the rule as a whole; what is not spoken of has to stay as it is.
        let mut current = client.get(&path, &[]).await?;
        if let Some(renewal) = renewal(said, Some(current["renewal"].take()))? {
            change.insert("renewal".into(), renewal);
        }
    }
    let changed = client.patch(&path, change.into()).await?;
    output::entry(&changed, AUDIENCES, args.output)
}

async fn import(client: &Client, args: ImportKeyArgs) -> Result<(), Failure> {
    let body = key(&args.key)?;
    let id = id_of(client, &args.of.audience).await?;
    let path = ["v1", "audiences", &id, "signing-keys", "import"];
    let added = client.post(&path, Some(body)).await?;
    output::entry(&added, KEYS, args.output)
}

fn format(args: &AudienceSettingArgs) -> Result<Option<Value>, Failure> {
    Ok(if let Some(file) = &args.encrypt_for {
        Some(json!({ "kind": "encrypted", "key": json_file(file)? }))
    } else if args.opaque {
        Some(json!({ "kind": "opaque" }))
    } else {
        args.signed.then(|| json!({ "kind": "signed" }))
    })
}

/// The members of requests that the flags speak of, but for the renewal.
fn settings(args: &AudienceSettingArgs) -> Result<Map<String, Value>, Failure> {
    let mut members = Map::new();
    let claims = claims(args)?;
    if !claims.is_empty() {
        members.insert("claims".into(), claims.into());
    }
    if let Some(format) = format(args)? {
        members.insert("format".into(), format);
    }
    if !args.origins.is_empty() {
        members.insert("authorized_origins".into(), json!(args.origins));
    }
    if let Some(aud) = &args.aud {
        members.insert("aud".into(), json!(aud));
    }
    let numbers = [
        ("default_ttl_seconds", args.default_ttl),
        ("max_ttl_seconds", args.max_ttl),
        ("max_token_bytes", args.max_token_bytes),
    ];
    for (member, value) in numbers {
        if let Some(value) = value {
            members.insert(member.into(), value.into());
        }
    }
    Ok(members)
}

/// What the flags say of the claims and the header.
fn claims(args: &AudienceSettingArgs) -> Result<Map<String, Value>, Failure> {
    let template = args.template_file.as_deref().map(json_file).transpose()?;
    let datasets = args.datasets.iter().cloned();
    let datasets: Map<String, Value> = datasets.map(|(table, id)| (table, id.into())).collect();
    let said = [
        ("template", template),
        ("registered", some(registered(args))),
        ("typ", args.typ.as_deref().map(Value::from)),
        ("key_id", args.kid.as_deref().map(Value::from)),
        ("issuer_in_header", args.issuer_in_header.map(Value::from)),
        ("superset_datasets", some(datasets)),
    ];
    Ok(members(said))
}

/// What the flags say of the claims that the issuer sets.
fn registered(args: &AudienceSettingArgs) -> Map<String, Value> {
    let issuer = args.issuer.as_ref().map(|text| json!({ "given": text }));
    let subject = args.subject.as_ref().map(|subject| match subject {
        SubjectArg::Word(word) => json!(word),
        SubjectArg::Given(text) => json!({ "given": text }),
    });
    members([
        ("issuer", issuer),
        ("subject", subject),
        ("client_id", args.client_id.map(Value::from)),
        ("not_before", args.not_before.map(Value::from)),
    ])
}

fn members<const N: usize>(said: [(&str, Option<Value>); N]) -> Map<String, Value> {
    let said = said.into_iter();
    said.filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
}

/// `None` of nothing.
fn some(members: Map<String, Value>) -> Option<Value> {
    (!members.is_empty()).then(|| members.into())
}

/// The renewal as it shall be, if anything is said about it. `current` is what there is so far.
fn renewal(args: &AudienceSettingArgs, current: Option<Value>) -> Result<Option<Value>, Failure> {
    let times = [("grace_seconds", args.grace), ("idle_seconds", args.idle)];
    let mut rule = match (args.renew_for, current) {
        (Some(Longest::Unlimited), _) => {
            if times.iter().any(|(_, time)| time.is_some()) {
                let told = "--grace and --idle mean nothing without renewal";
                return Err(Failure::input(anyhow!(told)));
            }
            return Ok(Some(Value::Null));
        }
        (_, Some(Value::Object(rule))) => rule,
        (Some(Longest::Seconds(_)), _) => Map::new(),
        (None, _) if times.iter().all(|(_, time)| time.is_none()) => return Ok(None),
        (None, _) => {
            let told = "--grace and --idle mean nothing without renewal: add --renew-for";
            return Err(Failure::input(anyhow!(told)));
        }
    };
    if let Some(Longest::Seconds(seconds)) = args.renew_for {
        rule.insert("session_seconds".into(), seconds.into());
    }
    for (member, time) in times {
        if let Some(time) = time {
            rule.insert(member.into(), time.into());
        }
    }
    Ok(Some(rule.into()))
}

fn json_file(file: &Path) -> Result<Value, Failure> {
    let text = if file == Path::new("-") {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(file)
    };
    let name = output::plain(&file.to_string_lossy());
    let text = text.with_context(|| format!("cannot read {name}"));
    let text = text.map_err(Failure::input)?;
    serde_json::from_str(&text)
        .with_context(|| format!("{name} is not JSON"))
        .map_err(Failure::input)
}

/// The body of an import.
fn key(files: &KeyFileArgs) -> Result<Value, Failure> {
    if let Some(file) = &files.pem_file {
        let pem = secret_input::read(Some(file), "", "--pem-file")?;
        return Ok(json!({ "pem": pem.expose_secret() }));
    }
    if let Some(file) = &files.jwk_file {
        let text = secret_input::read(Some(file), "", "--jwk-file")?;
        // What is wrong with it would repeat parts of the key.
        let jwk: Value = serde_json::from_str(text.expose_secret())
            .map_err(|_| Failure::input(anyhow!("--jwk-file is not JSON")))?;
        return Ok(json!({ "jwk": jwk }));
    }
    let Some(file) = &files.secret_file else {
        return Err(Failure::input(anyhow!("no key is given")));
    };
    Ok(json!({ "secret": secret(file)? }))
}

/// The text of a file as the API takes secrets.
fn secret(file: &Path) -> Result<String, Failure> {
    let text = secret_input::read(Some(file), "", "--secret-file")?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(text.expose_secret()))
}

/// The identifier of the audience of this name or identifier.
async fn id_of(client: &Client, audience: &str) -> Result<String, Failure> {
    if let Ok(id) = audience.parse::<AudienceId>() {
        return Ok(id.to_string());
    }
    let all = client.list(&["v1", "audiences"], &[], usize::MAX).await?;
    let found = all.iter().find(|it| it["name"] == audience);
    let id = found.and_then(|it| it["id"].as_str());
    id.map(ToOwned::to_owned).ok_or_else(|| {
        let name = output::plain(audience);
        Failure::input(anyhow!(
            "there is no audience `{name}`: see `jeton audience list`"
        ))
    })
}

fn entries(answer: &Value) -> Result<&[Value], Failure> {
    let entries = answer["data"].as_array().map(Vec::as_slice);
    entries.ok_or_else(|| Failure::server(anyhow!("the answer has no list in it")))
}
