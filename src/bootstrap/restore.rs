//! Lost parts of a CA of which there are copies elsewhere: its certificate, and the truststore's password, which is also
//! lost if its file has another one.
//!
//! Identities' directories may belong to other users, so nothing in them is trusted as such: the certificate must be
//! the one in the inventory, and the password must open the store.

use std::{collections::HashSet, path::PathBuf};

use zeroize::Zeroizing;

use super::{
    BootstrapError,
    ca::{CaError, TRUSTSTORE_PASSWORD, password_in},
    slot::{CERTIFICATE, Slot},
    trust::{Trust, Truststores, truststore_name},
};
use crate::{
    deeds::did,
    issuer::ENGINES,
    keystore::{StoreError, StoreProfile, pem, pkcs12},
    pki::{Certificate, Kind},
    policy::LAYOUTS,
    secret::Secret,
    state::{Inventory, Lock, OutDir, Record, read_plain, read_record, write_atomic},
};

/// What was restored, and from where.
#[derive(Debug)]
pub struct Restored {
    /// The file of the CA.
    pub file: PathBuf,
    /// What had become of it.
    pub fate: &'static str,
    /// Where the copy was found.
    pub from: PathBuf,
}

/// Longer than any password that kpki makes.
const MAX_PASSWORD: usize = 128;

/// True if a part is lost of which there may be a copy. A CA without its signing key cannot be restored.
pub fn is_needed(out: &OutDir) -> bool {
    let there = |file| out.ca_file(file).exists();
    ENGINES.iter().any(|engine| there(engine.file))
        && there(Inventory::FILE)
        && (!(there(CERTIFICATE) && there(TRUSTSTORE_PASSWORD)) || is_foreign(out).unwrap_or(false))
}

/// True if there is a password of the truststores that no store can have, or that opens none of those that are there.
pub(super) fn is_foreign(out: &OutDir) -> Result<bool, BootstrapError> {
    let Some(line) = read_record(&out.ca_file(TRUSTSTORE_PASSWORD))? else {
        return Ok(false);
    };
    let password = password_in(line);
    if pkcs12::check_password(&password).is_err() {
        return Ok(true);
    }
    let mut refused = false;
    let mut opens = |store: &[u8]| match pkcs12::open(store, &password) {
        Ok(_) => true,
        Err(error) => {
            refused |= error == StoreError::WrongPassword;
            false
        }
    };
    let own = own_store(out)?;
    if own.as_ref().is_some_and(|own| opens(own)) {
        return Ok(false);
    }
    // A damaged store looks as if it had another password: the identities have the same one.
    let mut tried: HashSet<Vec<u8>> = own.into_iter().collect();
    for name in out.identities()? {
        for names in LAYOUTS.iter().map(|layout| layout.files(name.as_str())) {
            let store = read_plain(&out.identity(&name).join(&names.truststore));
            let Ok(Some(store)) = store else { continue };
            if !tried.contains(&store) {
                if opens(&store) {
                    return Ok(false);
                }
                tried.insert(store);
            }
        }
    }
    Ok(refused)
}

/// The truststores of both profiles that need not be encoded.
///
/// # Errors
/// If one would have to be, with a password that the existing ones do not have.
pub(super) fn kept_truststores(trust: &Trust, out: &OutDir) -> Result<Truststores, BootstrapError> {
    let kept = trust.kept_truststores(out)?;
    if kept[0].is_none() && is_foreign(out)? {
        let file = out.ca_file(TRUSTSTORE_PASSWORD).display().to_string();
        return Err(CaError::ForeignPassword(file).into());
    }
    Ok(kept)
}

/// The password of the truststores, if an identity's configuration has it.
pub(super) fn known_password(
    out: &OutDir,
    inventory: &Inventory,
) -> Result<Option<Secret>, BootstrapError> {
    let found = find_password(out, &current_roots(out, inventory)?)?;
    Ok(found.map(|(password, _)| password))
}

/// The records of the roots one of which was lost.
fn current_roots<'i>(
    out: &OutDir,
    inventory: &'i Inventory,
) -> Result<Vec<&'i Record>, BootstrapError> {
    // During a rotation, the other CA is trusted as well, and is not the one that was lost.
    let standby = read_record(&out.ca_file(&Slot::Standby.names().root))?;
    let standby = standby.and_then(|text| pem::parse_certificates(&text).ok());
    let standby = standby.and_then(|all| Certificate::from_der(all.first()?).ok());
    let stands_by = |record: &Record| standby.as_ref().is_some_and(|c| record.is_of(c, c));
    let roots = inventory.authorities().filter(|r| r.kind == Kind::Ca);
    let roots = roots.filter(|record| inventory.is_current(record));
    let (both, own): (Vec<&Record>, Vec<_>) = roots.partition(|record| stands_by(record));
    // Two intermediates may be below the same root.
    Ok(if own.is_empty() { both } else { own })
}

/// Restores what is lost, if it is found.
pub fn restore(out: &OutDir, _lock: &Lock) -> Result<Vec<Restored>, BootstrapError> {
    if !is_needed(out) {
        return Ok(Vec::new());
    }
    let inventory = Inventory::read(out)?;
    let roots = current_roots(out, &inventory)?;
    let mut restored = Vec::new();
    let mut put = |file: &str, bytes: &[u8], mode, from| -> Result<(), BootstrapError> {
        let file = out.ca_file(file);
        let fate = match file.exists() {
            true => "did not open the truststores",
            false => "was lost",
        };
        write_atomic(&file, bytes, mode, None)?;
        did("restored", file.display().to_string());
        restored.push(Restored { file, fate, from });
        Ok(())
    };
    let mut password = match is_foreign(out)? {
        true => None,
        false => read_record(&out.ca_file(TRUSTSTORE_PASSWORD))?.map(password_in),
    };
    if password.is_none()
        && let Some((found, from)) = find_password(out, &roots)?
    {
        let line = Zeroizing::new(format!("{}\n", found.expose()));
        put(TRUSTSTORE_PASSWORD, line.as_bytes(), 0o600, from)?;
        password = Some(found);
    }
    if !out.ca_file(CERTIFICATE).exists()
        && let Some((found, from)) = find_certificates(out, &roots, password.as_ref())?
    {
        let ders: Vec<_> = found.into_iter().map(|c| c.der).collect();
        put(
            CERTIFICATE,
            pem::certificates(&ders).as_bytes(),
            0o644,
            from,
        )?;
    }
    Ok(restored)
}

/// What a store trusts, root first, if this password opens it and it contains a recorded root.
fn trusted(store: &[u8], password: &Secret, roots: &[&Record]) -> Option<Vec<Certificate>> {
    let contents = pkcs12::open(store, password).ok()?;
    let entries = contents.trusted.iter();
    let mut all: Vec<_> = entries
        .filter_map(|entry| Certificate::from_der(&entry.cert).ok())
        .collect();
    let is_root = |c: &Certificate| roots.iter().any(|record| record.is_of(c, c));
    let root = all.iter().position(is_root)?;
    all.swap(0, root);
    Some(all)
}

/// The CA's own copy of the truststore.
fn own_store(out: &OutDir) -> Result<Option<Vec<u8>>, BootstrapError> {
    Ok(read_record(
        &out.ca_file(truststore_name(StoreProfile::Jdk)),
    )?)
}

fn find_password(
    out: &OutDir,
    roots: &[&Record],
) -> Result<Option<(Secret, PathBuf)>, BootstrapError> {
    let own = own_store(out)?;
    // What is in the file only gives way to what opens the CA's own store.
    if own.is_none() && out.ca_file(TRUSTSTORE_PASSWORD).exists() {
        return Ok(None);
    }
    for name in out.identities()? {
        let dir = out.identity(&name);
        for names in LAYOUTS.iter().map(|layout| layout.files(name.as_str())) {
            let store = match &own {
                Some(own) => Some(own.clone()),
                None => read_plain(&dir.join(&names.truststore)).ok().flatten(),
            };
            let Some(store) = store else { continue };
            let files = [
                names.truststore_password.as_ref(),
                Some(&names.server_properties),
                Some(&names.client_properties),
            ];
            for path in files.into_iter().flatten().map(|file| dir.join(file)) {
                // What cannot be read there is skipped.
                let Ok(Some(text)) = read_plain(&path) else {
                    continue;
                };
                let text = Secret::new(String::from_utf8_lossy(&text).into_owned());
                for candidate in candidates(text.expose()) {
                    let candidate = Secret::new(candidate.to_owned());
                    if trusted(&store, &candidate, roots).is_some() {
                        return Ok(Some((candidate, path)));
                    }
                }
            }
        }
    }
    Ok(None)
}

/// The passwords that a file may contain: its only line, or the value of the property.
fn candidates(text: &str) -> impl Iterator<Item = &str> {
    let only = Some(text.trim_end()).filter(|line| !line.contains('\n'));
    let values = text.lines().filter_map(|line| {
        let value = line.trim().strip_prefix("ssl.truststore.password")?;
        value.trim_start().strip_prefix('=').map(str::trim)
    });
    only.into_iter()
        .chain(values)
        .filter(|password| (1..=MAX_PASSWORD).contains(&password.len()))
        .take(2)
}

fn find_certificates(
    out: &OutDir,
    roots: &[&Record],
    password: Option<&Secret>,
) -> Result<Option<(Vec<Certificate>, PathBuf)>, BootstrapError> {
    if let (Some(store), Some(password)) = (own_store(out)?, password)
        && let Some(all) = trusted(&store, password, roots)
    {
        return Ok(Some((all, out.ca_file(truststore_name(StoreProfile::Jdk)))));
    }
    // A line without a fingerprint does not distinguish the root from another with the same serial number, and of
    // several roots, one that is no longer trusted may be there.
    let [record] = roots else { return Ok(None) };
    if record.sha256.is_none() {
        return Ok(None);
    }
    for name in out.identities()? {
        for names in LAYOUTS.iter().map(|layout| layout.files(name.as_str())) {
            let path = out.identity(&name).join(&names.ca);
            let Ok(Some(text)) = read_plain(&path) else {
                continue;
            };
            let ders = pem::parse_certificates(&text).unwrap_or_default();
            let mut all = ders
                .iter()
                .filter_map(|der| Certificate::from_der(der).ok());
            if let Some(root) = all.find(|c| record.is_of(c, c)) {
                return Ok(Some((vec![root], path)));
            }
        }
    }
    Ok(None)
}
