import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.clients.admin.NewPartitionReassignment;
import org.apache.kafka.clients.admin.QuorumInfo;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionInfo;
import org.apache.kafka.common.config.ConfigResource;

/** What an operator of several nodes asks of Kafka's admin client, and has it do. */
final class ClusterJudge {
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    /** The KRaft quorum as the cluster sees it. */
    static JsonNode quorum(JsonNode question) throws Exception {
        try (Admin admin = admin(question)) {
            QuorumInfo quorum = admin.describeMetadataQuorum().quorumInfo().get();
            ObjectNode answer = Judge.JSON.createObjectNode();
            answer.put("leader", quorum.leaderId()).put("epoch", quorum.leaderEpoch());
            ArrayNode voters = answer.putArray("voters");
            quorum.voters().forEach(voter -> voters.add(voter.replicaId()));
            return answer;
        }
    }

    /** {@code node}: the settings of that node. */
    static JsonNode nodeSettings(JsonNode question) throws Exception {
        ConfigResource node = new ConfigResource(ConfigResource.Type.BROKER, Judge.text(question, "node"));
        try (Admin admin = admin(question)) {
            Config config = admin.describeConfigs(List.of(node)).all().get().get(node);
            ObjectNode answer = Judge.JSON.createObjectNode();
            config.entries().forEach(entry -> answer.put(entry.name(), entry.value()));
            return answer;
        }
    }

    /** {@code count}: waits until so many nodes are there and every partition has all of its copies in sync. */
    static JsonNode settled(JsonNode question) throws Exception {
        int count = question.get("count").asInt();
        try (Admin admin = admin(question)) {
            until("every copy to be in sync", () -> admin.describeCluster().nodes().get().size() == count
                    && topics(admin).stream()
                            .flatMap(topic -> topic.partitions().stream())
                            .allMatch(partition -> partition.leader() != null
                                    && partition.isr().size() == partition.replicas().size()));
            return Judge.JSON.createObjectNode();
        }
    }

    /** {@code node}, {@code to}: gives every copy that one node has to another, and waits until it is there. */
    static JsonNode move(JsonNode question) throws Exception {
        int from = question.get("node").asInt();
        int to = question.get("to").asInt();
        try (Admin admin = admin(question)) {
            Map<TopicPartition, Optional<NewPartitionReassignment>> moves = new HashMap<>();
            for (TopicDescription topic : topics(admin)) {
                for (TopicPartitionInfo partition : topic.partitions()) {
                    List<Integer> replicas =
                            new ArrayList<>(partition.replicas().stream().map(Node::id).toList());
                    int at = replicas.indexOf(from);
                    if (at < 0) {
                        continue;
                    }
                    if (replicas.contains(to)) {
                        throw new IllegalStateException(topic.name() + " has a copy on " + to + " already");
                    }
                    replicas.set(at, to);
                    moves.put(
                            new TopicPartition(topic.name(), partition.partition()),
                            Optional.of(new NewPartitionReassignment(replicas)));
                }
            }
            admin.alterPartitionReassignments(moves).all().get();
            until("partitions to be moved", () -> admin.listPartitionReassignments().reassignments().get().isEmpty());
            return Judge.JSON.createObjectNode().put("moved", moves.size());
        }
    }

    /** {@code node}: forgets a node that has been stopped for good. */
    static JsonNode unregister(JsonNode question) throws Exception {
        try (Admin admin = admin(question)) {
            admin.unregisterBroker(question.get("node").asInt()).all().get();
            return Judge.JSON.createObjectNode();
        }
    }

    private static Collection<TopicDescription> topics(Admin admin) throws Exception {
        ListTopicsOptions all = new ListTopicsOptions().listInternal(true);
        return admin.describeTopics(admin.listTopics(all).names().get()).allTopicNames().get().values();
    }

    interface Condition {
        boolean holds() throws Exception;
    }

    static void until(String what, Condition condition) throws Exception {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (!condition.holds()) {
            if (System.nanoTime() - deadline > 0) {
                throw new TimeoutException("waited too long for " + what);
            }
            Thread.sleep(100);
        }
    }

    private static Admin admin(JsonNode question) throws IOException {
        return Admin.create(ClientJudge.properties(question));
    }

    private ClusterJudge() {}
}
