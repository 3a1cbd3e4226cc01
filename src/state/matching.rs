//! The files that an `include` pattern matches. We walk the directories ourselves, because the glob crate follows
//! links: two of them that lead upwards would make it walk forever, and everywhere.

use std::{
    fs, io,
    path::{Component, Path, PathBuf},
};

use glob::{MatchOptions, Pattern};

/// One step of a pattern.
enum Step {
    /// A name without wildcards.
    Name(String),
    /// A pattern of names.
    Names(Pattern),
    /// `**`: any number of directories, including none.
    Anywhere,
}

/// The files below a directory that match a pattern, as relative paths, sorted. Links are listed but not followed.
///
/// # Errors
/// An invalid pattern, one that leads out of the directory, or a directory that cannot be listed.
pub fn matching(dir: &Path, pattern: &str) -> Result<Vec<PathBuf>, String> {
    let start = match dir.as_os_str().is_empty() {
        true => Path::new("."),
        false => dir,
    };
    let steps = steps(start, pattern)?;
    let mut found = Vec::new();
    walk(start, Path::new(""), &steps, &mut found)?;
    found.sort();
    found.dedup();
    Ok(found)
}

fn steps(start: &Path, pattern: &str) -> Result<Vec<Step>, String> {
    let outside = || {
        format!(
            "it leads out of the policy's own directory, {}",
            start.display()
        )
    };
    let pattern = Path::new(pattern);
    let pattern = match pattern.is_absolute() {
        true => {
            let whole = std::path::absolute(start).map_err(|e| e.to_string())?;
            pattern.strip_prefix(whole).map_err(|_| outside())?
        }
        false => pattern,
    };
    let mut steps = Vec::new();
    for component in pattern.components() {
        let name = match component {
            Component::CurDir => continue,
            Component::Normal(name) => name.to_string_lossy(),
            _ => return Err(outside()),
        };
        steps.push(match &*name {
            "**" => Step::Anywhere,
            name if name.contains(['*', '?', '[']) => {
                let pattern = Pattern::new(name);
                Step::Names(pattern.map_err(|e| format!("it is not a file pattern: {}", e.msg))?)
            }
            name => Step::Name(name.to_owned()),
        });
    }
    if let Some(Step::Anywhere) = steps.last() {
        return Err(
            "`**` stands for directories: add the names of the files, such as /*.yaml".to_owned(),
        );
    }
    Ok(steps)
}

/// Adds what the steps match from `below`, a directory under `start`.
fn walk(
    start: &Path,
    below: &Path,
    steps: &[Step],
    found: &mut Vec<PathBuf>,
) -> Result<(), String> {
    let Some((step, rest)) = steps.split_first() else {
        return Ok(());
    };
    let at = start.join(below);
    let cannot = |error: io::Error| format!("cannot list {}: {error}", at.display());
    let mut there: Vec<(PathBuf, fs::FileType)> = Vec::new();
    match step {
        Step::Name(name) => match fs::symlink_metadata(at.join(name)) {
            Ok(meta) => there.push((below.join(name), meta.file_type())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(cannot(error)),
        },
        Step::Names(_) | Step::Anywhere => {
            for entry in fs::read_dir(&at).map_err(cannot)? {
                let entry = entry.map_err(cannot)?;
                let kind = entry.file_type().map_err(cannot)?;
                there.push((below.join(entry.file_name()), kind));
            }
        }
    }
    if let Step::Anywhere = step {
        walk(start, below, rest, found)?;
        for (path, _) in there.iter().filter(|(_, kind)| kind.is_dir()) {
            walk(start, path, steps, found)?;
        }
        return Ok(());
    }
    let fits = |path: &Path| match (step, path.file_name()) {
        (Step::Names(pattern), Some(name)) => {
            pattern.matches_with(&name.to_string_lossy(), MatchOptions::new())
        }
        _ => true,
    };
    for (path, kind) in there.into_iter().filter(|(path, _)| fits(path)) {
        if kind.is_dir() && !rest.is_empty() {
            walk(start, &path, rest, found)?;
        } else if rest.is_empty() || kind.is_symlink() {
            // A link in the path is refused when the file is read, like one at the end.
            found.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn found(dir: &Path, pattern: &str) -> Vec<String> {
        let paths = matching(dir, pattern).unwrap();
        paths
            .iter()
            .map(|path| path.display().to_string())
            .collect()
    }

    #[test]
    fn patterns_mean_what_they_mean_to_a_shell() {
        let dir = tempfile::tempdir().unwrap();
        for file in [
            "a.yaml",
            "b.yml",
            "teams/a.yaml",
            "teams/x/b.yaml",
            "teams/[.yaml",
        ] {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let found = |pattern| found(dir.path(), pattern);
        assert_eq!(found("*.yaml"), ["a.yaml"]);
        assert_eq!(found("./teams/a.yaml"), ["teams/a.yaml"]);
        assert_eq!(found("teams//*.yaml"), ["teams/[.yaml", "teams/a.yaml"]);
        assert_eq!(found("*/x/?.yaml"), ["teams/x/b.yaml"]);
        assert_eq!(found("teams/[[]*"), ["teams/[.yaml"]);
        assert_eq!(
            found("**/*.yaml"),
            ["a.yaml", "teams/[.yaml", "teams/a.yaml", "teams/x/b.yaml"]
        );
        assert!(found("none/*.yaml").is_empty());
        assert!(found("a.yaml/b").is_empty());
        for wrong in [
            "../x",
            "teams/../../x",
            "/etc/passwd",
            "[",
            "a**",
            "teams/**",
        ] {
            assert!(matching(dir.path(), wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn links_that_lead_upwards_are_not_walked_through() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.yaml"), "").unwrap();
        for link in ["up", "again", "further"] {
            symlink(".", dir.path().join(link)).unwrap();
        }
        assert_eq!(found(dir.path(), "**/*.yaml"), ["a.yaml"]);
        assert_eq!(found(dir.path(), "up/a.yaml"), ["up"]);
    }
}
