//! Dates as templates ask for them: Python's `strftime`, in UTC and English.

use minijinja::{Error, ErrorKind};
use weighhouse_seams::UnixNanos;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// From the first day of 1970 on.
const DAYS: [&str; 7] = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];
const DAY_SECONDS: u64 = 86_400;

pub(super) fn format(now: UnixNanos, format: &str) -> Result<String, Error> {
    let seconds = now.0 / 1_000_000_000;
    let (days, second) = (seconds / DAY_SECONDS, seconds % DAY_SECONDS);
    let (year, month, day) = date(days);
    let (month_name, day_name) = (MONTHS[month - 1], DAYS[(days % 7) as usize]);
    let mut out = String::new();
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            out.push(letter);
            continue;
        }
        let directive = letters.next();
        out += &match directive {
            Some('Y') => year.to_string(),
            Some('m') => format!("{month:02}"),
            Some('d') => format!("{day:02}"),
            Some('B') => month_name.to_owned(),
            Some('b') => month_name[..3].to_owned(),
            Some('A') => day_name.to_owned(),
            Some('a') => day_name[..3].to_owned(),
            Some('H') => format!("{:02}", second / 3_600),
            Some('M') => format!("{:02}", second / 60 % 60),
            Some('S') => format!("{:02}", second % 60),
            Some('%') => "%".to_owned(),
            _ => {
                let which = directive.map(String::from).unwrap_or_default();
                let message = format!("`strftime_now` doesn't know `%{which}`");
                return Err(Error::new(ErrorKind::InvalidOperation, message));
            }
        };
    }
    Ok(out)
}

/// Year, month and day of a day since 1970.
fn date(mut days: u64) -> (u64, usize, u64) {
    let mut year = 1970;
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let mut month = 1;
    for length in [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    (year, month, days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let cases = [
            (0, "Thursday 01 January 1970, 00:00:00"),
            (951_782_399, "Monday 28 February 2000, 23:59:59"),
            (951_782_400, "Tuesday 29 February 2000, 00:00:00"),
            (1_798_761_599, "Thursday 31 December 2026, 23:59:59"),
            (4_107_542_400, "Monday 01 March 2100, 00:00:00"),
        ];
        for (seconds, expected) in cases {
            let now = UnixNanos(seconds * 1_000_000_000);
            assert_eq!(format(now, "%A %d %B %Y, %H:%M:%S").expect("known"), expected);
        }
        assert_eq!(format(UnixNanos(0), "%a %b %m 100%%").expect("known"), "Thu Jan 01 100%");
        assert!(format(UnixNanos(0), "%j").is_err() && format(UnixNanos(0), "%").is_err());
    }
}
