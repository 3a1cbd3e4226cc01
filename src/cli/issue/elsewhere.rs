//! `kpki issue --csr-only` and `--install-cert`: keys that stay here, with a CA that is elsewhere.

use std::path::Path;

use serde_json::json;

use super::Issue;
use crate::{
    bootstrap::elsewhere,
    cli::{
        CliError, Code, Done,
        error::{fail, several},
        init_ca::{begin, take_lock, tidy},
        shell,
        ui::{BOLD, GREEN, Ui},
    },
    keystore::pem,
    pki::{Host, Kind, LeafSpec, PkiError},
    policy::Layout,
    state::{OutDir, read_request},
};

impl Issue {
    /// Keys and requests, without a CA.
    pub(super) fn request(&self, out: &OutDir, ui: &Ui) -> Done {
        if out.root().exists() {
            tidy(out, ui)?;
        }
        self.check(out)?;
        let mut errors: Vec<CliError> = Vec::new();
        let mut leaves = Vec::new();
        for name in &self.names {
            let own = name.as_str().parse::<Host>().ok().filter(|_| !self.client);
            let more = self.hosts.iter().filter(|host| Some(*host) != own.as_ref());
            let hosts: Vec<Host> = own.iter().chain(more).cloned().collect();
            if hosts.is_empty() && !self.client {
                errors.push(PkiError::NoHost(name.to_string()).into());
            }
            leaves.push(LeafSpec {
                name: name.clone(),
                kind: match self.client {
                    true => Kind::Client,
                    false => Kind::Broker,
                },
                hosts,
                key: self.key,
                days: self.days,
            });
        }
        several(errors)?;
        let lock = begin(out, ui)?;
        let mut documents = Vec::new();
        for leaf in &leaves {
            let name = &leaf.name;
            let names = self.layout().files(name.as_str());
            elsewhere::request(out, &lock, leaf, &names)?;
            let dir = out.identity(name);
            let request = dir.join(elsewhere::request_file(name));
            ui.say(format!(
                "{GREEN}made{GREEN:#} {}, for the key {}, which stays here",
                request.display(),
                names.key
            ));
            documents.push(
                json!({"name": name.as_str(), "request": request, "key": dir.join(&names.key)}),
            );
        }
        // A client's hosts are not taken from its request.
        let options: String = match self.client {
            true => {
                let hosts = self.hosts.iter().map(|host| format!(" --host {host}"));
                [" --client".to_owned()].into_iter().chain(hosts).collect()
            }
            false => String::new(),
        };
        ui.say(format!(
            "\n{BOLD}next:{BOLD:#} run kpki sign NAME.csr{options} > NAME.crt where the CA is; then here:"
        ));
        let kpki = shell::kpki(out.root());
        for name in &self.names {
            ui.say(format!("  {kpki} issue {name} --install-cert {name}.crt"));
        }
        ui.document(&json!(documents));
        Ok(())
    }

    /// Stores from a key that is here and the chain that was signed for it.
    pub(super) fn install(&self, out: &OutDir, file: &Path, ui: &Ui) -> Done {
        let [name] = &self.names[..] else {
            return Err(CliError::misuse(
                "--install-cert can only be used with one NAME",
                "install them one by one",
            )
            .into());
        };
        let text = read_request(file)?;
        let chain = match pem::parse_certificates(&text) {
            Ok(chain) => chain,
            Err(error) => {
                return fail(
                    Code::BadCertificate,
                    format!("{}: {error}", file.display()),
                    "give the chain that kpki sign printed",
                );
            }
        };
        tidy(out, ui)?;
        let lock = take_lock(out, ui)?;
        let names = self.layout().files(name.as_str());
        let profile = self
            .shape
            .profile()
            .unwrap_or(crate::keystore::StoreProfile::Jdk);
        let leaf = elsewhere::install(out, &lock, name, &names, chain, profile)?;
        let dir = out.identity(name);
        ui.say(format!(
            "{GREEN}installed{GREEN:#}  the certificate of {name}, until {}: {}",
            leaf.not_after.date(),
            dir.join(&names.keystore).display()
        ));
        ui.document(&json!({"name": name.as_str(), "serial": leaf.serial, "not_after": crate::bootstrap::rfc3339(leaf.not_after), "directory": dir}));
        Ok(())
    }

    pub(super) fn layout(&self) -> &'static Layout {
        self.shape.layout().unwrap_or(&Layout::DEFAULT)
    }
}
