//! Sections of a task's file that a calibration replaces.

use super::error::WriteError;
use crate::file::table;

/// The file without the sections `of` and the comments above them; those `needed` must be there.
pub(crate) fn without(file: &str, of: &[&str], needed: &[&'static str]) -> Result<String, WriteError> {
    for section in needed {
        if !file.lines().any(|line| is_header(line, section)) {
            return Err(WriteError::NoSection(section));
        }
    }
    let mut kept: Vec<&str> = Vec::new();
    let mut skipping = false;
    for line in file.lines() {
        if table(line).is_some() {
            skipping = of.iter().any(|section| is_header(line, section));
            if skipping {
                // A section's comments stand above it.
                while kept.last().is_some_and(|above| above.trim_start().starts_with('#')) {
                    kept.pop();
                }
            }
        }
        // Comments within a section that goes belong to the section that follows it.
        if !skipping {
            kept.push(line);
        }
    }
    Ok(kept.join("\n").trim_end().to_owned())
}

/// Tells whether a line begins this section, which is written as `[name]`.
fn is_header(line: &str, section: &str) -> bool {
    table(line).is_some_and(|name| table(section) == Some(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_known_with_a_comment_behind_it_and_wherever_it_stands() {
        let file = "version = 1\n# of generate\n  [generate] # note\nclip = 1\n[budget]\ndrawn = 1\n[quality]#x\nfloor = 0\n";
        let kept = without(file, &["[generate]", "[budget]"], &["[generate]"]).expect("both are there");
        assert_eq!(kept, "version = 1\n[quality]#x\nfloor = 0");
        assert!(without("[generated]\n", &[], &["[generate]"]).is_err());
    }
}
