//! The machine where a key stays: making its request, and its stores once the certificate has been signed.

use rcgen::KeyPair;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use super::{
    BootstrapError,
    identity::{Credentials, OnDisk, key_file},
};
use crate::{
    keystore::{StoreError, StoreProfile, pem},
    pki::{Certificate, IdentityName, LeafSpec, PkiError},
    policy::FileNames,
    random,
    secret::SecretBytes,
    state::{FileSpec, Lock, OutDir, Owners, Staging},
};

/// The name of an identity's request.
pub fn request_file(name: &IdentityName) -> String {
    format!("{name}.csr")
}

/// Writes a request for an identity to its directory, and its key unless there already is one.
pub fn request(
    out: &OutDir,
    lock: &Lock,
    leaf: &LeafSpec,
    names: &FileNames,
) -> Result<(), BootstrapError> {
    out.check_identity(&leaf.name, &Owners::read(out, None)?)?;
    let there = OnDisk::read(out, &leaf.name, names)?.key;
    let pair = match &there {
        Some(der) => KeyPair::try_from(&PrivatePkcs8KeyDer::from(&**der)),
        None => leaf.key.generate(),
    };
    let pair = pair.map_err(PkiError::from)?;
    let request = pem::request(&leaf.request(&pair)?);
    let mut files = vec![FileSpec::public(request_file(&leaf.name), request)];
    if there.is_none() {
        files.push(key_file(names, &SecretBytes::from(pair.serialized_der()))?);
    }
    write(out, lock, &leaf.name, &files)
}

/// Makes the stores of an identity from the key in its directory and the chain that was signed for it.
pub fn install(
    out: &OutDir,
    lock: &Lock,
    name: &IdentityName,
    names: &FileNames,
    chain: Vec<CertificateDer<'static>>,
    profile: StoreProfile,
) -> Result<Certificate, BootstrapError> {
    let leaf = chain.first().ok_or(StoreError::NoChain)?;
    let certificate = Certificate::from_der(leaf)?;
    out.check_identity(name, &Owners::read(out, None)?)?;
    if certificate.subject != format!("CN={name}") {
        return Err(BootstrapError::OthersCertificate {
            name: name.to_string(),
            subject: certificate.subject,
        });
    }
    let there = OnDisk::read(out, name, names)?;
    there.check_password(out, name, names)?;
    let Some(key) = there.key else {
        return Err(BootstrapError::NoKey(name.to_string()));
    };
    let password = match there.password {
        Some(password) => password,
        None => random::password()?,
    };
    let credentials = Credentials {
        certificate,
        chain,
        key,
        password,
    };
    // Also checks that key and chain match.
    let mut files = vec![credentials.keystore(name, names, profile)?];
    files.extend(credentials.texts(names)?);
    write(out, lock, name, &files)?;
    Ok(credentials.certificate)
}

fn write(
    out: &OutDir,
    lock: &Lock,
    name: &IdentityName,
    files: &[FileSpec],
) -> Result<(), BootstrapError> {
    let staging = Staging::begin(out, lock, None)?;
    staging.check(name.as_str(), files.iter().map(|file| file.name.as_str()))?;
    staging.add(name.as_str(), files)?;
    Ok(staging.commit()?)
}
