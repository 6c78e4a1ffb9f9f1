use std::collections::BTreeSet;

use super::*;

fn unlimited() -> Strength {
    Strength {
        permissions: Permission::ALL.iter().copied().collect(),
        roles: None,
        audiences: None,
        fixed_attributes: BTreeMap::new(),
        allowed_attributes: BTreeMap::new(),
        max_ttl_seconds: None,
        networks: Vec::new(),
        rate_limit: None,
        expires_at: None,
    }
}

fn limited() -> Strength {
    Strength {
        permissions: BTreeSet::from([Permission::KeysWrite, Permission::TokensIssue]),
        roles: Some(names(&["editor", "viewer"])),
        audiences: Some(names(&["default"])),
        fixed_attributes: BTreeMap::from([("tenant_id".to_owned(), "t-1".into())]),
        allowed_attributes: BTreeMap::from([(
            "regions".to_owned(),
            vec!["eu".into(), "us".into()],
        )]),
        max_ttl_seconds: Some(60),
        networks: nets(&["10.0.0.0/8", "2001:db8::/32"]),
        rate_limit: Some(rate(60, 10)),
        expires_at: Some(Timestamp::from_unix_seconds(1_000)),
    }
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn nets(nets: &[&str]) -> Vec<IpNet> {
    nets.iter().map(|net| net.parse().unwrap()).collect()
}

fn rate(per_minute: u32, burst: u32) -> RateLimit {
    RateLimit { per_minute, burst }
}

fn allow(strength: &mut Strength, regions: &[&str]) {
    let regions = regions.iter().map(|region| (*region).into()).collect();
    strength
        .allowed_attributes
        .insert("regions".to_owned(), regions);
}

fn with(change: impl Fn(&mut Strength)) -> Strength {
    let mut strength = limited();
    change(&mut strength);
    strength
}

#[test]
fn every_strength_covers_itself_and_no_limit_covers_all() {
    for strength in [limited(), unlimited()] {
        assert_eq!(strength.covers(&strength), Ok(()));
        assert_eq!(unlimited().covers(&strength), Ok(()));
    }
    assert!(limited().covers(&unlimited()).is_err());
}

#[test]
fn whoever_is_stronger_in_one_aspect_is_not_covered() {
    let stronger = [
        (
            Aspect::Permissions,
            with(|s| s.permissions = BTreeSet::from([Permission::AuditRead])),
        ),
        (Aspect::Roles, with(|s| s.roles = None)),
        (Aspect::Roles, with(|s| s.roles = Some(names(&["admin"])))),
        (Aspect::Audiences, with(|s| s.audiences = None)),
        (
            Aspect::Audiences,
            with(|s| s.audiences = Some(names(&["default", "other"]))),
        ),
        (
            Aspect::FixedAttributes,
            with(|s| s.fixed_attributes.clear()),
        ),
        (
            Aspect::FixedAttributes,
            with(|s| {
                s.fixed_attributes.insert("tenant_id".into(), "t-2".into());
            }),
        ),
        (
            Aspect::AllowedAttributes,
            with(|s| s.allowed_attributes.clear()),
        ),
        (
            Aspect::AllowedAttributes,
            with(|s| allow(s, &["eu", "asia"])),
        ),
        (
            Aspect::AllowedAttributes,
            with(|s| {
                s.fixed_attributes
                    .insert("regions".into(), serde_json::json!(["eu", "asia"]));
            }),
        ),
        (Aspect::MaxTtl, with(|s| s.max_ttl_seconds = None)),
        (Aspect::MaxTtl, with(|s| s.max_ttl_seconds = Some(61))),
        (Aspect::Networks, with(|s| s.networks.clear())),
        (
            Aspect::Networks,
            with(|s| s.networks = nets(&["10.0.0.0/7"])),
        ),
        (
            Aspect::Networks,
            with(|s| s.networks = nets(&["10.1.0.0/16", "::/0"])),
        ),
        (Aspect::RateLimit, with(|s| s.rate_limit = None)),
        (
            Aspect::RateLimit,
            with(|s| s.rate_limit = Some(rate(61, 1))),
        ),
        (
            Aspect::RateLimit,
            with(|s| s.rate_limit = Some(rate(1, 11))),
        ),
        (Aspect::Expiry, with(|s| s.expires_at = None)),
        (
            Aspect::Expiry,
            with(|s| s.expires_at = Some(Timestamp::from_unix_seconds(1_001))),
        ),
    ];
    for (aspect, stronger) in stronger {
        let told = limited().covers(&stronger);
        assert_eq!(told, Err(Stronger(aspect)), "{stronger:?}");
        assert_eq!(unlimited().covers(&stronger), Ok(()));
    }
}

#[test]
fn whoever_is_weaker_is_covered() {
    for weaker in [
        with(|s| s.permissions.clear()),
        with(|s| s.roles = Some(BTreeSet::new())),
        with(|s| s.audiences = Some(BTreeSet::new())),
        with(|s| {
            s.fixed_attributes.insert("region".into(), "eu".into());
        }),
        with(|s| s.max_ttl_seconds = Some(0)),
        with(|s| s.networks = nets(&["10.1.0.0/16", "10.2.3.4/32"])),
        with(|s| s.rate_limit = Some(rate(60, 9))),
        with(|s| s.expires_at = Some(Timestamp::from_unix_seconds(0))),
    ] {
        assert_eq!(limited().covers(&weaker), Ok(()), "{weaker:?}");
    }
}

#[test]
fn neighbouring_networks_count_together() {
    let halves = with(|s| s.networks = nets(&["10.0.0.0/9", "10.128.0.0/9"]));
    let whole = with(|s| s.networks = nets(&["10.0.0.0/8"]));
    assert_eq!(halves.covers(&whole), Ok(()));
    let ipv4 = with(|s| s.networks = nets(&["0.0.0.0/0"]));
    let ipv6 = with(|s| s.networks = nets(&["::/0"]));
    assert_eq!(ipv6.covers(&ipv4), Err(Stronger(Aspect::Networks)));
}

#[test]
fn an_aspect_names_the_field_of_the_key() {
    assert_eq!(Aspect::Roles.pointer(), "/ceiling/roles");
    assert_eq!(
        Stronger(Aspect::Roles).to_string(),
        "the key would be stronger than who asks for it, in `ceiling.roles`"
    );
}

#[test]
fn owners_by_their_roles() {
    use UserRole::{Admin, Member, Owner, Viewer};
    let clock = storage::SystemClock;
    let owner = |role| KeyOwner {
        id: PrincipalId::new(&clock),
        role,
    };
    let all = [None, Some(Owner), Some(Admin), Some(Member), Some(Viewer)];
    // Whose keys the caller's keys may make and change, and whose they may stop; the same person apart.
    for (caller, covered, stopped) in [
        (None, [true, false, true, true, true], [true; 5]),
        (Some(Owner), [true; 5], [true; 5]),
        (Some(Admin), [true, false, true, true, true], [true; 5]),
        (Some(Member), [false; 5], [false; 5]),
        (Some(Viewer), [false; 5], [false; 5]),
    ] {
        for (at, role) in all.into_iter().enumerate() {
            let (asks, other) = (owner(caller), owner(role));
            assert_eq!(
                asks.covers(other).is_ok(),
                covered[at],
                "{caller:?} {role:?}"
            );
            assert_eq!(
                asks.may_stop_keys_of(other).is_ok(),
                stopped[at],
                "{caller:?} {role:?}"
            );
        }
        let same = owner(caller);
        assert_eq!(
            (same.covers(same), same.may_stop_keys_of(same)),
            (Ok(()), Ok(()))
        );
    }
}
