//! Sections of a task's file that a calibration replaces.

use super::error::WriteError;

/// The file without the sections `of` and the comments above them; those `needed` must be there.
pub(crate) fn without(file: &str, of: &[&str], needed: &[&'static str]) -> Result<String, WriteError> {
    for section in needed {
        if !file.lines().any(|line| line.trim() == *section) {
            return Err(WriteError::NoSection(section));
        }
    }
    let mut kept: Vec<&str> = Vec::new();
    let mut skipping = false;
    for line in file.lines() {
        if line.trim_start().starts_with('[') && line.trim_end().ends_with(']') {
            skipping = of.contains(&line.trim());
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
