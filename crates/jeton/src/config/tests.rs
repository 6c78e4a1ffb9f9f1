use super::*;

fn with(public_url: &str) -> Config {
    Config {
        public_url: Some(public_url.into()),
        ..Config::default()
    }
}

#[test]
fn plain_http_is_for_this_machine_only() {
    for good in [
        "https://tokens.example.com",
        "http://127.0.0.1:8080",
        "http://[::1]:1",
        "http://localhost",
    ] {
        assert!(with(good).public_url().is_ok(), "{good}");
    }
    for bad in [
        "http://tokens.example.com",
        "http://10.0.0.1",
        "http://localhost.example.com",
        "tokens",
        "",
    ] {
        assert!(with(bad).public_url().is_err(), "{bad}");
    }
}

#[test]
fn a_database_on_another_machine_says_how_it_is_protected() {
    for fine in [
        "sqlite:jeton.db",
        "postgres://u:p@127.0.0.1/db",
        "postgres://u:p@localhost:5432/db",
        "postgres://u:p@db.example.com/db?sslmode=verify-full",
        "postgres:///db?host=/run/postgresql",
    ] {
        assert!(!needs_sslmode(fine), "{fine}");
    }
    assert!(needs_sslmode("postgres://u:p@db.example.com/db"));
    assert!(needs_sslmode(
        "postgresql://u:p@10.0.0.7/db?application_name=x"
    ));
}

#[test]
fn values_that_would_stop_the_server_are_refused() {
    let zero = |config: Config| assert!(config.check().is_err());
    zero(Config {
        request_timeout_seconds: 0,
        ..Config::default()
    });
    zero(Config {
        header_timeout_seconds: 0,
        ..Config::default()
    });
    zero(Config {
        staleness_bound_seconds: 0,
        ..Config::default()
    });
    zero(Config {
        staleness_bound_seconds: 3600,
        ..Config::default()
    });
    zero(Config {
        session_retention_days: 0,
        ..Config::default()
    });
    let with_keys = |change: fn(&mut KeyAdminSettings)| {
        let mut config = Config::default();
        change(&mut config.keys);
        config
    };
    zero(with_keys(|keys| keys.api_key_hash.memory_kib = 1));
    zero(with_keys(|keys| keys.sign_in.idle_timeout_minutes = 4));
    zero(with_keys(|keys| keys.sign_in.max_session_hours = 0));
    zero(with_keys(|keys| {
        keys.sign_in.failed_sign_ins_per_client.burst = 0;
    }));
    zero(with_keys(|keys| {
        keys.sign_in.failed_sign_ins_per_account.per_minute = 0;
    }));
    assert!(Config::default().check().is_ok());
}

#[test]
fn a_configuration_reads_back_what_it_shows() {
    let shown = toml::to_string(&Config::default()).unwrap();
    let read: Config = Figment::from(Toml::string(&shown)).extract().unwrap();
    assert_eq!(toml::to_string(&read).unwrap(), shown);
}
