import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.DescribeClusterResult;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.ScramCredentialInfo;
import org.apache.kafka.clients.admin.UserScramCredentialsDescription;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclBindingFilter;

/** Kafka's own admin client, with a client's properties as kpki wrote them. */
final class AdminJudge {
    /** What KRaft stores of one request at most is 10,000 records; this stays far from it. */
    private static final int BINDINGS_PER_REQUEST = 1_000;

    /** {@code topic}, {@code partitions}, {@code replication_factor}. */
    static JsonNode createTopic(JsonNode question) throws Exception {
        NewTopic topic = new NewTopic(
                Judge.text(question, "topic"),
                question.get("partitions").asInt(),
                (short) question.get("replication_factor").asInt());
        try (Admin admin = admin(question)) {
            admin.createTopics(List.of(topic)).all().get();
            return Judge.JSON.createObjectNode();
        }
    }

    static JsonNode describeCluster(JsonNode question) throws Exception {
        try (Admin admin = admin(question)) {
            DescribeClusterResult cluster = admin.describeCluster();
            ObjectNode answer = Judge.JSON.createObjectNode().put("cluster_id", cluster.clusterId().get());
            ArrayNode nodes = answer.putArray("nodes");
            cluster.nodes().get().forEach(node -> nodes.addObject()
                    .put("id", node.id())
                    .put("host", node.host())
                    .put("port", node.port())
                    .put("rack", node.rack()));
            return answer;
        }
    }

    /** {@code bindings}: an array; {@code per_request}, if set. Answers how many {@code seconds} the requests took. */
    static JsonNode createAcls(JsonNode question) throws Exception {
        int perRequest = question.path("per_request").asInt(BINDINGS_PER_REQUEST);
        List<AclBinding> bindings = new ArrayList<>();
        question.get("bindings").forEach(binding -> bindings.add(Bindings.fromJson(binding)));
        try (Admin admin = admin(question)) {
            admin.describeCluster().nodes().get();
            long begun = System.nanoTime();
            for (int from = 0; from < bindings.size(); from += perRequest) {
                int to = Math.min(from + perRequest, bindings.size());
                admin.createAcls(bindings.subList(from, to)).all().get();
            }
            return Judge.JSON.createObjectNode().put("seconds", (System.nanoTime() - begun) / 1e9);
        }
    }

    /** Every binding of the cluster. */
    static JsonNode listAcls(JsonNode question) throws Exception {
        try (Admin admin = admin(question)) {
            ArrayNode bindings = Judge.JSON.createArrayNode();
            admin.describeAcls(AclBindingFilter.ANY).values().get().forEach(binding -> bindings.add(Bindings.toJson(binding)));
            return bindings;
        }
    }

    /** Every SCRAM credential of the cluster: a line per user and mechanism. */
    static JsonNode listScram(JsonNode question) throws Exception {
        try (Admin admin = admin(question)) {
            ArrayNode credentials = Judge.JSON.createArrayNode();
            for (UserScramCredentialsDescription user :
                    admin.describeUserScramCredentials().all().get().values()) {
                for (ScramCredentialInfo credential : user.credentialInfos()) {
                    credentials.addObject()
                            .put("user", user.name())
                            .put("mechanism", credential.mechanism().mechanismName())
                            .put("iterations", credential.iterations());
                }
            }
            return credentials;
        }
    }

    private static Admin admin(JsonNode question) throws IOException {
        return Admin.create(ClientJudge.properties(question));
    }

    private AdminJudge() {}
}
