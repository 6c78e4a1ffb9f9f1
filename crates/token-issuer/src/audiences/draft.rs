//! What a request says about an audience to be, completed by a preset or the defaults.

use policy::{AudienceLimits, AudienceName};
use secrecy::SecretSlice;

use super::{
    AudienceFault, AudiencePatch, AudienceSettings, ClaimSettings, DEFAULT_LIMITS, NewAudience,
    TokenType,
};
use crate::signing_keys::SigningAlgorithm;
use crate::templates::{Given, IssuerClaim, Preset};

/// An audience as far as its maker spoke of it.
#[derive(Clone, Debug)]
pub struct AudienceDraft {
    /// What requests will call it.
    pub name: AudienceName,
    /// How its tokens are signed; `None` for the preset's first choice, or ES256.
    pub algorithm: Option<SigningAlgorithm>,
    /// The secret that the consumer gave out, for HS256.
    pub secret: Option<SecretSlice<u8>>,
    /// What is said; it wins over the preset.
    pub said: AudiencePatch,
    /// Where the rest comes from.
    pub preset: Option<&'static Preset>,
}

impl AudienceDraft {
    /// Fills in what was left out. The faults are all settings that only the consumer knows and nobody gave.
    pub fn complete(self) -> Result<NewAudience, Vec<AudienceFault>> {
        let faults = self.not_given();
        if !faults.is_empty() {
            return Err(faults);
        }
        let preset = self.preset;
        let from_preset = preset.and_then(first_algorithm);
        let mut settings = preset.map_or_else(AudienceSettings::default, settings_of);
        let AudiencePatch {
            aud,
            default_ttl_seconds,
            max_ttl_seconds,
            settings: said,
        } = self.said;
        said.apply(&mut settings);
        let longest = preset.and_then(|it| it.max_lifetime_seconds);
        let max_ttl_seconds = max_ttl_seconds
            .or(longest)
            .unwrap_or(DEFAULT_LIMITS.max_ttl_seconds);
        Ok(NewAudience {
            name: self.name,
            aud: aud.or_else(|| preset?.aud.map(str::to_owned)),
            algorithm: self.algorithm.or(from_preset).unwrap_or_default(),
            limits: AudienceLimits {
                default_ttl_seconds: default_ttl_seconds
                    .unwrap_or(DEFAULT_LIMITS.default_ttl_seconds.min(max_ttl_seconds)),
                max_ttl_seconds,
            },
            settings,
            secret: self.secret,
        })
    }

    fn not_given(&self) -> Vec<AudienceFault> {
        let Some(preset) = self.preset else {
            return Vec::new();
        };
        let missing = preset.given.iter().filter(|given| !self.has(**given));
        let mut faults: Vec<_> = missing
            .map(|given| AudienceFault::NotGiven {
                preset: preset.name,
                pointer: given.pointer(),
            })
            .collect();
        if self.algorithm.is_none() && first_algorithm(preset).is_none() {
            faults.push(AudienceFault::NoAlgorithm {
                preset: preset.name,
                wanted: preset.algorithm_names().join(", "),
            });
        }
        faults
    }

    fn has(&self, given: Given) -> bool {
        let claims = &self.said.settings.claims;
        match given {
            Given::Audience => self.said.aud.is_some(),
            Given::Issuer => matches!(claims.issuer, Some(IssuerClaim::Given(_))),
            Given::KeyId => matches!(claims.key_id, key_admin::Edit::Set(Some(_))),
            // Of another algorithm than the preset's there is no secret to give.
            Given::Secret => {
                self.secret.is_some() || self.algorithm.is_some_and(|it| !it.is_symmetric())
            }
        }
    }
}

/// The first that the consumer verifies and this server signs with.
fn first_algorithm(preset: &Preset) -> Option<SigningAlgorithm> {
    let mut names = preset.algorithm_names().into_iter();
    names.find_map(|name| SigningAlgorithm::parse(&name))
}

fn settings_of(preset: &'static Preset) -> AudienceSettings {
    let header = preset.header;
    let typ = [TokenType::AccessToken, TokenType::Jwt]
        .into_iter()
        .find(|typ| typ.as_str() == header.typ);
    AudienceSettings {
        claims: ClaimSettings {
            template: Some(preset.template_json()),
            registered: preset.registered.clone(),
            typ: typ.unwrap_or_default(),
            key_id: None,
            issuer_in_header: header.repeats_issuer,
            ..ClaimSettings::default()
        },
        ..AudienceSettings::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::templates::PRESETS;

    fn draft(preset: &'static Preset) -> AudienceDraft {
        AudienceDraft {
            name: AudienceName::parse("one").unwrap(),
            algorithm: None,
            secret: None,
            said: AudiencePatch::default(),
            preset: Some(preset),
        }
    }

    #[test]
    fn every_preset_makes_an_audience_once_what_it_needs_is_given() {
        for preset in PRESETS {
            let mut whole = draft(preset);
            let missing = whole.clone().complete().err().unwrap_or_default();
            let places: Vec<_> = missing.iter().map(AudienceFault::pointer).collect();
            let expected: Vec<_> = preset.given.iter().map(|it| it.pointer()).collect();
            assert_eq!(places, expected, "{}", preset.name);
            whole.said.aud = Some("given".to_owned());
            whole.said.settings.claims.issuer = Some(IssuerClaim::Given("given".into()));
            whole.said.settings.claims.key_id = key_admin::Edit::Set(Some("given".to_owned()));
            whole.secret = Some(vec![7; 32].into());
            let made = whole.complete().unwrap();
            let claims = &made.settings.claims;
            assert_eq!(claims.typ.as_str(), preset.header.typ, "{}", preset.name);
            assert_eq!(claims.registered.subject, preset.registered.subject);
            assert_eq!(claims.template, Some(preset.template_json()));
            assert!(made.settings.compile().is_ok(), "{}", preset.name);
        }
    }

    #[test]
    fn what_is_said_wins_and_what_is_left_out_is_filled_in() {
        let mut tableau = draft(Preset::named("tableau").unwrap());
        let claims = &mut tableau.said.settings.claims;
        claims.issuer = Some(IssuerClaim::Given("client".into()));
        claims.key_id = key_admin::Edit::Set(Some("secret-1".to_owned()));
        claims.not_before = Some(false);
        tableau.secret = Some(vec![7; 32].into());
        let made = tableau.clone().complete().unwrap();
        assert_eq!(
            (made.aud.as_deref(), made.algorithm),
            (Some("tableau"), SigningAlgorithm::Hs256)
        );
        assert_eq!(
            (made.limits.default_ttl_seconds, made.limits.max_ttl_seconds),
            (600, 600)
        );
        let registered = &made.settings.claims.registered;
        assert!(!registered.not_before && !registered.client_id);
        assert!(made.settings.claims.issuer_in_header);
        tableau.said.aud = Some("mine".to_owned());
        tableau.said.max_ttl_seconds = Some(60);
        let made = tableau.complete().unwrap();
        assert_eq!(
            (made.aud.as_deref(), made.limits.default_ttl_seconds),
            (Some("mine"), 60)
        );
    }
}
