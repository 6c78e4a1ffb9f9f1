//! A point in time: `timestamptz` on PostgreSQL, integer microseconds on SQLite, RFC 3339 everywhere else.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sqlx::{Database, Decode, Encode, Postgres, Sqlite, Type, encode::IsNull, error::BoxDynError};
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

/// Microseconds since the Unix epoch, UTC. Text form: RFC 3339 with `Z`, e.g. `2026-01-01T00:15:00Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The text is no RFC 3339 time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 time such as 2026-01-01T00:15:00Z")]
pub struct InvalidTimestamp;

impl Timestamp {
    /// From whole seconds since the Unix epoch (a JWT's `NumericDate`).
    pub const fn from_unix_seconds(seconds: i64) -> Self {
        Self(seconds * 1_000_000)
    }

    /// From microseconds since the Unix epoch.
    pub const fn from_unix_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Whole seconds since the Unix epoch, rounded down.
    pub const fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Microseconds since the Unix epoch.
    pub const fn unix_micros(self) -> i64 {
        self.0
    }

    /// The same time without its fraction of a second, as tokens carry it.
    #[must_use]
    pub const fn truncated_to_seconds(self) -> Self {
        Self::from_unix_seconds(self.unix_seconds())
    }

    /// This time, `seconds` later (earlier when negative).
    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1_000_000)))
    }

    /// Reads RFC 3339. A time whose offset carries it out of the years 0 to 9999 is refused: it could not be written.
    pub fn parse(text: &str) -> Result<Self, InvalidTimestamp> {
        OffsetDateTime::parse(text, &Rfc3339)
            .ok()
            .and_then(|at| at.checked_to_offset(UtcOffset::UTC))
            .filter(|at| (0..=9999).contains(&at.year()))
            .map(Self::from_offset_date_time)
            .ok_or(InvalidTimestamp)
    }

    pub(crate) fn from_offset_date_time(at: OffsetDateTime) -> Self {
        let micros = at.unix_timestamp_nanos().div_euclid(1_000);
        Self(i64::try_from(micros).unwrap_or(i64::MAX))
    }

    fn to_offset_date_time(self) -> OffsetDateTime {
        // Outside the years -9999..=9999 there is nothing to show; such a value cannot come from a clock.
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // By hand, because every token and every line of the log has one.
        let at = self.to_offset_date_time();
        let (year, month, day) = at.to_calendar_date();
        let (hour, minute, second, micros) = at.to_hms_micro();
        // RFC 3339 has no other years.
        let Some(year) = u16::try_from(year).ok().filter(|year| *year <= 9999) else {
            return Err(fmt::Error);
        };
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        put(&mut text[..4], year.into());
        for (place, part) in [
            (5, u8::from(month)),
            (8, day),
            (11, hour),
            (14, minute),
            (17, second),
        ] {
            put(&mut text[place..place + 2], part.into());
        }
        put(&mut text[20..26], micros);
        // As many digits of the fraction as there are, like everywhere else.
        let fraction = text[20..26].iter().rposition(|digit| *digit != b'0');
        let end = fraction.map_or(19, |last| 21 + last);
        text[end] = b'Z';
        let text = str::from_utf8(&text[..=end]).map_err(|_| fmt::Error)?;
        f.write_str(text)
    }
}

/// Writes a number into the place, with zeros in front.
fn put(place: &mut [u8], mut number: u32) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl Type<Sqlite> for Timestamp {
    fn type_info() -> <Sqlite as Database>::TypeInfo {
        <i64 as Type<Sqlite>>::type_info()
    }
}

impl<'q> Encode<'q, Sqlite> for Timestamp {
    fn encode_by_ref(
        &self,
        buffer: &mut <Sqlite as Database>::ArgumentBuffer,
    ) -> Result<IsNull, BoxDynError> {
        <i64 as Encode<'q, Sqlite>>::encode_by_ref(&self.0, buffer)
    }
}

impl<'r> Decode<'r, Sqlite> for Timestamp {
    fn decode(value: <Sqlite as Database>::ValueRef<'r>) -> Result<Self, BoxDynError> {
        <i64 as Decode<'r, Sqlite>>::decode(value).map(Self)
    }
}

impl Type<Postgres> for Timestamp {
    fn type_info() -> <Postgres as Database>::TypeInfo {
        <OffsetDateTime as Type<Postgres>>::type_info()
    }
}

impl<'q> Encode<'q, Postgres> for Timestamp {
    fn encode_by_ref(
        &self,
        buffer: &mut <Postgres as Database>::ArgumentBuffer,
    ) -> Result<IsNull, BoxDynError> {
        <OffsetDateTime as Encode<'q, Postgres>>::encode(self.to_offset_date_time(), buffer)
    }
}

impl<'r> Decode<'r, Postgres> for Timestamp {
    fn decode(value: <Postgres as Database>::ValueRef<'r>) -> Result<Self, BoxDynError> {
        <OffsetDateTime as Decode<'r, Postgres>>::decode(value).map(Self::from_offset_date_time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_that_of_rfc_3339() {
        for micros in [
            0,
            1,
            -1,
            1_000_000,
            1_767_226_500_120_000,
            1_767_226_500_000_007,
            -62_135_596_800_000_000,
            253_402_300_799_999_999,
        ] {
            let at = Timestamp::from_unix_micros(micros);
            let expected = at.to_offset_date_time().format(&Rfc3339).unwrap();
            assert_eq!(at.to_string(), expected);
        }
    }

    #[test]
    fn reads_and_writes_rfc_3339() {
        let at = Timestamp::parse("2026-01-01T01:15:00+01:00").unwrap();
        assert_eq!(at.to_string(), "2026-01-01T00:15:00Z");
        assert_eq!(Timestamp::parse(&at.to_string()), Ok(at));
        assert_eq!(
            Timestamp::parse("2026-02-30T00:00:00Z"),
            Err(InvalidTimestamp)
        );
    }

    #[test]
    fn what_is_read_can_be_written() {
        for text in ["0000-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z"] {
            let at = Timestamp::parse(text).unwrap();
            assert_eq!(Timestamp::parse(&at.to_string()), Ok(at), "{text}");
        }
        for text in ["0000-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01"] {
            assert_eq!(Timestamp::parse(text), Err(InvalidTimestamp), "{text}");
        }
    }

    #[test]
    fn seconds_round_down_before_the_epoch_too() {
        assert_eq!(Timestamp::from_unix_micros(-1).unix_seconds(), -1);
        assert_eq!(Timestamp::from_unix_micros(1_999_999).unix_seconds(), 1);
    }
}
