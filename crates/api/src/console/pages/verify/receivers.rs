//! Receivers to take away. Each is a program that runs, and a case of the tests runs each as it stands here.

/// A program that receives webhooks.
pub(super) struct Receiver {
    /// The language, as people call it.
    pub(super) language: &'static str,
    /// What the file is called.
    pub(super) file: &'static str,
    /// The file.
    pub(super) source: &'static str,
}

macro_rules! receivers {
    ($($language:literal: $file:literal,)*) => {
        /// Every receiver, in the order of their tabs.
        pub(super) const RECEIVERS: &[Receiver] = &[$(Receiver {
            language: $language,
            file: $file,
            source: include_str!(concat!("../../receivers/", $file)),
        },)*];
    };
}

receivers! {
    "Python": "receiver.py",
    "Node.js": "receiver.mjs",
    "Java": "Receiver.java",
    "PHP": "receiver.php",
    "Ruby": "receiver.rb",
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_receiver_there_is_is_shown() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/console/receivers");
        let entries = std::fs::read_dir(folder).expect("the folder can be listed");
        let there: BTreeSet<String> = entries
            .map(|entry| entry.expect("an entry can be read").file_name().to_string_lossy().into_owned())
            .collect();
        let shown: BTreeSet<String> = RECEIVERS.iter().map(|receiver| receiver.file.to_owned()).collect();
        assert_eq!(shown, there);
    }

    #[test]
    fn every_receiver_fits_a_page_without_being_scrolled_sideways_on_a_desk() {
        for Receiver { file, source, .. } in RECEIVERS {
            let longest = source.lines().map(|line| line.chars().count()).max().unwrap_or_default();
            assert!(longest <= 112, "{file} has a line of {longest} characters");
        }
    }
}
