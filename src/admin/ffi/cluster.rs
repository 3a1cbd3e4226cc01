//! The request about the cluster itself.

use rdkafka::bindings as rd;

use super::{
    super::raw::{Answered, AnsweringCluster, Wait},
    handle::Handle,
    integers as c,
    values::{Owned, array, list, text},
};

impl Handle {
    /// Connects, and requests the list of brokers and what this principal may do with the cluster.
    pub fn describe_cluster(&self, wait: Wait<'_>) -> Answered<AnsweringCluster> {
        let kind = rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECLUSTER;
        // SAFETY: live values; an error that is returned is owned by the caller.
        let answer = self.ask(kind, wait, |to| unsafe {
            let refused =
                rd::rd_kafka_AdminOptions_set_include_authorized_operations(to.options, 1);
            drop(Owned::new(refused, rd::rd_kafka_error_destroy));
            rd::rd_kafka_DescribeCluster(to.client, to.options, to.queue);
        })?;
        // SAFETY: the event is a DescribeCluster result, which lives until `answer` is dropped, and so do its parts.
        unsafe {
            let result = rd::rd_kafka_event_DescribeCluster_result(answer.as_ptr());
            let mut count = 0;
            let operations =
                c::rd_kafka_DescribeCluster_result_authorized_operations(result, &raw mut count);
            let id = rd::rd_kafka_DescribeCluster_result_cluster_id(result);
            let nodes = list(result, rd::rd_kafka_DescribeCluster_result_nodes);
            Ok(AnsweringCluster {
                id: (!id.is_null()).then(|| text(id)),
                // A count of -1 and a null pointer: the broker does not report them.
                operations: (!operations.is_null()).then(|| array(operations, count).to_vec()),
                brokers: nodes.iter().map(|n| rd::rd_kafka_Node_id(*n)).collect(),
            })
        }
    }
}
