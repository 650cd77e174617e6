//! Timestamps in object metadata: RFC 3339 in, UTC out, Go's complaints in between.

use audit::{civil_from_days, days_from_civil, days_in_month};

const LAYOUT: &str = "2006-01-02T15:04:05Z07:00";

/// The moment in UTC to the second, as the server writes it back; nothing for the zero time.
pub(super) fn normalise(text: &str) -> Result<Option<String>, String> {
    let mut parser = Parser { text, rest: text };
    let moment = parser.moment()?;
    let seconds = moment.seconds();
    if seconds == days_from_civil(1, 1, 1) * 86_400 {
        return Ok(None);
    }
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil_from_days(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    Ok(Some(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")))
}

struct Parser<'t> {
    text: &'t str,
    rest: &'t str,
}

struct Moment {
    date: (i64, i64, i64),
    clock: (i64, i64, i64),
    offset_minutes: i64,
}

impl Moment {
    fn seconds(&self) -> i64 {
        let (year, month, day) = self.date;
        let (hour, minute, second) = self.clock;
        days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - self.offset_minutes * 60
    }
}

impl Parser<'_> {
    fn error(&self, element: &str) -> String {
        let (text, rest) = (crate::golang::quote(self.text), crate::golang::quote(self.rest));
        format!("parsing time {text} as \"{LAYOUT}\": cannot parse {rest} as \"{element}\"")
    }

    fn out_of_range(&self, what: &str) -> String {
        format!("parsing time {}: {what} out of range", crate::golang::quote(self.text))
    }

    fn digits(&mut self, count: usize, element: &str) -> Result<i64, String> {
        match self.rest.get(..count) {
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                self.rest = &self.rest[count..];
                digits.parse().map_err(|_| self.error(element))
            }
            _ => Err(self.error(element)),
        }
    }

    fn literal(&mut self, literal: &str) -> Result<(), String> {
        self.rest = self.rest.strip_prefix(literal).ok_or_else(|| self.error(literal))?;
        Ok(())
    }

    fn moment(&mut self) -> Result<Moment, String> {
        let year = self.digits(4, "2006")?;
        self.literal("-")?;
        let month = self.digits(2, "01")?;
        if !(1..=12).contains(&month) {
            return Err(self.out_of_range("month"));
        }
        self.literal("-")?;
        let day = self.digits(2, "02")?;
        self.literal("T")?;
        let hour = self.digits(2, "15")?;
        if hour > 23 {
            return Err(self.out_of_range("hour"));
        }
        self.literal(":")?;
        let minute = self.digits(2, "04")?;
        if minute > 59 {
            return Err(self.out_of_range("minute"));
        }
        self.literal(":")?;
        let second = self.digits(2, "05")?;
        if second > 59 {
            return Err(self.out_of_range("second"));
        }
        self.fraction();
        let offset_minutes = self.zone()?;
        if !self.rest.is_empty() {
            let (text, rest) = (crate::golang::quote(self.text), crate::golang::quote(self.rest));
            return Err(format!("parsing time {text}: extra text: {rest}"));
        }
        if day < 1 || day > days_in_month(year, month) {
            return Err(self.out_of_range("day"));
        }
        Ok(Moment { date: (year, month, day), clock: (hour, minute, second), offset_minutes })
    }

    fn fraction(&mut self) {
        let Some(after) = self.rest.strip_prefix(['.', ',']) else {
            return;
        };
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 {
            self.rest = &after[digits..];
        }
    }

    fn zone(&mut self) -> Result<i64, String> {
        if let Some(rest) = self.rest.strip_prefix('Z') {
            self.rest = rest;
            return Ok(0);
        }
        let sign = match self.rest.bytes().next() {
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return Err(self.error("Z07:00")),
        };
        let zone = self.rest.get(1..6).filter(|z| z.as_bytes()[2] == b':');
        let (hours, minutes) = zone
            .and_then(|z| Some((two_digits(&z[..2])?, two_digits(&z[3..])?)))
            .ok_or_else(|| self.error("Z07:00"))?;
        if hours > 24 || minutes > 60 {
            return Err(self.out_of_range("time zone offset hour"));
        }
        self.rest = &self.rest[6..];
        Ok(sign * (hours * 60 + minutes))
    }
}

fn two_digits(text: &str) -> Option<i64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}
