//! `kpki scram derive`

use std::io::{IsTerminal, Read};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use clap::{Args, ValueEnum};

use super::super::{CliError, Code, Done, Failure, fail, passphrase, ui::Ui, whole_number};
use crate::{
    random,
    scram::{
        Credential, DEFAULT_ITERATIONS, MAX_ITERATIONS, MIN_ITERATIONS, Mechanism, SALT_LEN,
        zookeeper,
    },
    secret::Secret,
};

/// Derive a SCRAM credential offline, as Kafka stores it
///
/// The password comes from KPKI_SCRAM_PASSWORD, else from standard input, else from the terminal, where it is entered
/// twice; never from an argument, which every user of the machine can read.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki scram derive --user alice
  kpki scram derive --user alice --form kraft < password.txt
  kpki scram derive --user alice --mechanism SCRAM-SHA-256 --json < password.txt")]
pub struct Derive {
    /// The user name
    #[arg(long)]
    user: String,
    /// SCRAM-SHA-256 or SCRAM-SHA-512
    #[arg(long, default_value_t = Mechanism::Sha512)]
    mechanism: Mechanism,
    /// PBKDF2 iterations, 4096 to 16384
    #[arg(long, default_value_t = DEFAULT_ITERATIONS, value_name = "N", value_parser = whole_number::<MIN_ITERATIONS, MAX_ITERATIONS>)]
    iterations: u32,
    /// The salt in base64 [default: random]
    #[arg(long, value_name = "B64")]
    salt: Option<String>,
    /// What to print
    #[arg(long, value_enum, default_value_t = Form::Kafka)]
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// What the broker stores: salt, stored_key, server_key, iterations
    Kafka,
    /// The value for `kafka-storage format --add-scram`; as secret as the password
    Kraft,
    /// The znode under /config/users
    Zookeeper,
    /// One JSON object
    Json,
}

impl Derive {
    pub(super) fn run(self, ui: &Ui) -> Done {
        let salt = match &self.salt {
            Some(text) => BASE64.decode(text).map_err(|_| {
                CliError::new(Code::BadSalt, "--salt is not base64")
                    .hint("for example --salt \"$(openssl rand -base64 24)\"")
                    .usage()
            })?,
            None => random::octets::<SALT_LEN>()?.to_vec(),
        };
        let password = password()?;
        let (user, mechanism) = (&self.user, self.mechanism);
        let credential = Credential::derive(user, &password, mechanism, self.iterations, &salt)?;
        match self.form {
            _ if ui.json => ui.json_line(&credential.json()),
            Form::Json => ui.json_line(&credential.json()),
            Form::Kafka => ui.raw(&format!("{}\n", credential.kafka())),
            Form::Kraft => {
                let argument = credential.kraft_argument()?;
                ui.raw(&format!("{}\n", argument.expose()));
            }
            Form::Zookeeper => {
                for user in zookeeper(std::slice::from_ref(&credential)) {
                    ui.raw(&format!("{}\n", user.data));
                    ui.note(format!("set it at {}", user.path));
                    ui.note(format!(
                        "then create {} with {}",
                        user.change_path, user.change
                    ));
                }
            }
        }
        Ok(())
    }
}

fn missing(message: &str) -> CliError {
    CliError::new(Code::PasswordMissing, message)
        .hint("give it on standard input or in KPKI_SCRAM_PASSWORD")
}

fn password() -> Result<Secret, Failure> {
    let mut text = zeroize::Zeroizing::new(String::new());
    if let Ok(given) = std::env::var("KPKI_SCRAM_PASSWORD") {
        text.push_str(&given);
    } else if std::io::stdin().is_terminal() {
        let first = passphrase::ask("Password: ", missing("no password was given"))?;
        let again = passphrase::ask("Repeat: ", missing("no password was given"))?;
        if again != first {
            let message = "the two passwords differ; nothing was derived";
            return fail(Code::PasswordMismatch, message, "run the command again");
        }
        return Ok(first);
    } else {
        std::io::stdin().read_to_string(&mut text).map_err(|e| {
            let message = format!("cannot read the password from standard input: {e}");
            CliError::new(Code::PasswordUnreadable, message)
        })?;
    }
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        return Err(missing("the password is empty").usage().into());
    }
    Ok(Secret::new(line.to_owned()))
}
