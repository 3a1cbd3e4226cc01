//! A client, its requests, and waiting for answers.

use std::{
    ffi::{CString, c_int},
    ptr,
    sync::atomic::Ordering,
    time::Duration,
};

use rdkafka::{
    bindings as rd,
    bindings::rd_kafka_admin_op_t as Operation,
    client::Client,
    config::{ClientConfig, NativeClientConfig, RDKafkaLogLevel},
    error::KafkaError,
    types::RDKafkaType,
};
use zeroize::Zeroize;

use super::{
    super::raw::{Answered, BrokerError, Event, Wait},
    callbacks::{self, Told},
    integers as c, stack,
    values::{Owned, text},
};

/// A client of one cluster, with its threads and connections.
pub struct Handle {
    client: Client<Told>,
}

/// The client, options and answer queue of one request, live while the called function runs.
pub struct Sender {
    pub client: *mut rd::rd_kafka_t,
    pub options: *mut rd::rd_kafka_AdminOptions_t,
    pub queue: *mut rd::rd_kafka_queue_t,
}

pub type Answer = Owned<rd::rd_kafka_event_t>;

impl Handle {
    /// Starts a client with these settings that receives answers of up to `largest_answer` bytes. It does not connect
    /// yet.
    pub fn new(settings: &[(&str, &str)], largest_answer: usize) -> Result<Self, String> {
        let mut config = ClientConfig::new();
        // Closed connections are reported there.
        config.set_log_level(RDKafkaLogLevel::Info);
        let native = config.create_native_config().map_err(creation_error)?;
        for (name, value) in settings {
            set(&native, name, value)?;
        }
        callbacks::listen(&native);
        let client = stack::enlarged(largest_answer, || {
            let kind = RDKafkaType::RD_KAFKA_PRODUCER;
            Client::new(&config, native, kind, Told::default())
        });
        let client = client.map_err(creation_error)?;
        Ok(Self { client })
    }

    /// OpenSSL's error for the last broker certificate that it refused, 0 for none.
    pub fn x509_error(&self) -> i32 {
        self.told().x509_error.load(Ordering::Relaxed)
    }

    /// Whether any broker has answered anything.
    pub fn was_answered(&self) -> bool {
        self.told().answered.load(Ordering::Relaxed)
    }

    /// The length of the answer to the last request, if it contains names.
    pub(super) fn answer_bytes(&self) -> usize {
        self.told().answer_bytes.load(Ordering::Acquire)
    }

    fn told(&self) -> &Told {
        self.client.context()
    }

    /// Sends a request and waits for its answer until the timeout. All other events in the meantime go to `watch`,
    /// which may give up waiting, and with it the handle.
    pub(super) fn ask(
        &self,
        operation: Operation,
        wait: Wait<'_>,
        send: impl FnOnce(&Sender),
    ) -> Answered<Answer> {
        self.told().answer_bytes.store(0, Ordering::Release);
        let options = options(&self.client, operation, wait.timeout)?;
        let client = self.client.native_ptr();
        // SAFETY: a live client; the queue is a new reference to its main one, of answers, errors and log lines.
        let queue = unsafe { rd::rd_kafka_queue_get_main(client) };
        let queue = Owned::new(queue, rd::rd_kafka_queue_destroy)?;
        send(&Sender {
            client,
            options: options.as_ptr(),
            queue: queue.as_ptr(),
        });
        receive(&queue, answer_to(operation), wait.watch)
    }
}

/// The event type of an answer.
fn answer_to(operation: Operation) -> c_int {
    match operation {
        Operation::RD_KAFKA_ADMIN_OP_DESCRIBECLUSTER => rd::RD_KAFKA_EVENT_DESCRIBECLUSTER_RESULT,
        Operation::RD_KAFKA_ADMIN_OP_CREATEACLS => rd::RD_KAFKA_EVENT_CREATEACLS_RESULT,
        Operation::RD_KAFKA_ADMIN_OP_DESCRIBEACLS => rd::RD_KAFKA_EVENT_DESCRIBEACLS_RESULT,
        Operation::RD_KAFKA_ADMIN_OP_DELETEACLS => rd::RD_KAFKA_EVENT_DELETEACLS_RESULT,
        Operation::RD_KAFKA_ADMIN_OP_DESCRIBEUSERSCRAMCREDENTIALS => {
            rd::RD_KAFKA_EVENT_DESCRIBEUSERSCRAMCREDENTIALS_RESULT
        }
        Operation::RD_KAFKA_ADMIN_OP_ALTERUSERSCRAMCREDENTIALS => {
            rd::RD_KAFKA_EVENT_ALTERUSERSCRAMCREDENTIALS_RESULT
        }
        Operation::RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS => rd::RD_KAFKA_EVENT_DESCRIBECONFIGS_RESULT,
        Operation::RD_KAFKA_ADMIN_OP_INCREMENTALALTERCONFIGS => {
            rd::RD_KAFKA_EVENT_INCREMENTALALTERCONFIGS_RESULT
        }
        // kpki has no other requests.
        _ => rd::RD_KAFKA_EVENT_NONE,
    }
}

fn options(
    client: &Client<Told>,
    operation: Operation,
    timeout: Duration,
) -> Answered<Owned<rd::rd_kafka_AdminOptions_t>> {
    let timeout = c_int::try_from(timeout.as_millis()).unwrap_or(c_int::MAX);
    // SAFETY: a live client; the options are owned by the caller.
    let options = unsafe { rd::rd_kafka_AdminOptions_new(client.native_ptr(), operation) };
    let options = Owned::new(options, rd::rd_kafka_AdminOptions_destroy)?;
    let at = options.as_ptr();
    // SAFETY: live options, and no buffer for a message.
    unsafe {
        rd::rd_kafka_AdminOptions_set_request_timeout(at, timeout, ptr::null_mut(), 0);
        // How long the broker may take; ignored by operations without such a limit.
        rd::rd_kafka_AdminOptions_set_operation_timeout(at, timeout, ptr::null_mut(), 0);
    }
    Ok(options)
}

fn receive(
    queue: &Owned<rd::rd_kafka_queue_t>,
    answer: c_int,
    watch: &mut dyn FnMut(Event) -> bool,
) -> Answered<Answer> {
    loop {
        // SAFETY: a live queue; the event is owned by the caller.
        let event = unsafe { rd::rd_kafka_queue_poll(queue.as_ptr(), 100) };
        let Ok(event) = Owned::new(event, rd::rd_kafka_event_destroy) else {
            if !watch(Event::Nothing) {
                return Err(BrokerError::gave_up());
            }
            continue;
        };
        // SAFETY: a live event.
        let (kind, code) = unsafe {
            (
                rd::rd_kafka_event_type(event.as_ptr()),
                c::rd_kafka_event_error(event.as_ptr()),
            )
        };
        if kind == answer && code == 0 {
            return Ok(event);
        }
        if kind == rd::RD_KAFKA_EVENT_DESCRIBEUSERSCRAMCREDENTIALS_RESULT && code != 0 {
            // Its text is a dangling pointer into a stack frame, and destroying the event would free it
            // (rd_kafka_DescribeUserScramCredentialsResponse_parse), so neither is touched.
            std::mem::forget(event);
            if kind != answer {
                continue;
            }
            // SAFETY: takes any number, and returns a static string.
            let said = unsafe { text(c::rd_kafka_err2str(code)) };
            return Err(BrokerError::new(code, said));
        }
        let happened = match kind {
            rd::RD_KAFKA_EVENT_LOG => Event::Log(log_line(&event)),
            kind if kind == answer || kind == rd::RD_KAFKA_EVENT_ERROR => {
                // SAFETY: a live event, which owns the text.
                let said = unsafe { text(rd::rd_kafka_event_error_string(event.as_ptr())) };
                let error = BrokerError::new(code, said);
                if kind == answer {
                    return Err(error);
                }
                Event::Error(error)
            }
            _ => continue,
        };
        if !watch(happened) {
            return Err(BrokerError::gave_up());
        }
    }
}
/// Sets a value that may be secret: rdkafka's own function leaves copies in memory, and quotes the value in its error.
fn set(config: &NativeClientConfig, name: &str, value: &str) -> Result<(), String> {
    let nul = |_| format!("{name} contains a NUL character");
    let name_c = CString::new(name).map_err(nul)?;
    let value_c = CString::new(value).map_err(nul)?;
    // SAFETY: a live configuration, valid strings, and no buffer for a message, which could quote the value too.
    let result = unsafe {
        let (name, value) = (name_c.as_ptr(), value_c.as_ptr());
        rd::rd_kafka_conf_set(config.ptr(), name, value, ptr::null_mut(), 0)
    };
    value_c.into_bytes().zeroize();
    match result {
        rd::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK => Ok(()),
        _ => Err(format!("librdkafka does not accept the value of {name}")),
    }
}

fn creation_error(error: KafkaError) -> String {
    match error {
        KafkaError::ClientCreation(said) => said,
        other => other.to_string(),
    }
}

fn log_line(event: &Answer) -> String {
    let (mut facility, mut line, mut level) = (ptr::null(), ptr::null(), 0);
    // SAFETY: a live event; the strings live as long as it does.
    unsafe {
        rd::rd_kafka_event_log(
            event.as_ptr(),
            &raw mut facility,
            &raw mut line,
            &raw mut level,
        );
        text(line)
    }
}
