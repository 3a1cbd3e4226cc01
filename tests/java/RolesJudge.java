import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.ScramCredentialInfo;
import org.apache.kafka.clients.admin.ScramMechanism;
import org.apache.kafka.clients.admin.UserScramCredentialDeletion;
import org.apache.kafka.clients.admin.UserScramCredentialUpsertion;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** The day's work of clients that do more than to produce or to consume; every question has a client's {@code properties}. */
final class RolesJudge {
    private static final Duration POLL = Duration.ofMillis(100);
    static final Duration PATIENCE = Duration.ofSeconds(60);

    /**
     * Reads {@code count} records of topic {@code from} in group {@code group} and writes them to {@code to}, offsets and all, in
     * one transaction; the properties name a transactional.id.
     */
    static JsonNode transfer(JsonNode question) throws Exception {
        Properties properties = ClientJudge.properties(question);
        Properties consuming = (Properties) properties.clone();
        consuming.remove("transactional.id");
        consuming.put("group.id", Judge.text(question, "group"));
        consuming.put("auto.offset.reset", "earliest");
        consuming.put("enable.auto.commit", "false");
        consuming.put("isolation.level", "read_committed");
        String to = Judge.text(question, "to");
        StringSerializer writing = new StringSerializer();
        StringDeserializer reading = new StringDeserializer();
        KafkaProducer<String, String> producer = new KafkaProducer<>(properties, writing, writing);
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(consuming, reading, reading)) {
            producer.initTransactions();
            consumer.subscribe(List.of(Judge.text(question, "from")));
            producer.beginTransaction();
            Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
            Deadline deadline = new Deadline();
            int left = question.get("count").asInt();
            while (left > 0) {
                deadline.check(left + " records have not arrived");
                for (ConsumerRecord<String, String> record : consumer.poll(POLL)) {
                    producer.send(new ProducerRecord<>(to, record.value()));
                    offsets.put(
                            new TopicPartition(record.topic(), record.partition()),
                            new OffsetAndMetadata(record.offset() + 1));
                    left--;
                }
            }
            producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
            producer.commitTransaction();
            return Judge.JSON.createObjectNode();
        } finally {
            producer.close(Duration.ZERO);
        }
    }

    /** What is committed in {@code topic}, of one partition; at least {@code count} values, as a client that is in no group. */
    static JsonNode read(JsonNode question) throws Exception {
        return read(ClientJudge.properties(question), Judge.text(question, "topic"), 0, question.get("count").asInt(), () -> {});
    }

    /** Whether something has failed, in which case it throws that. */
    interface Check {
        void check() throws Exception;
    }

    /** Reads so many values from the first partition, beginning at an offset. */
    static ArrayNode read(Properties given, String topic, long from, int count, Check check) throws Exception {
        Properties properties = (Properties) given.clone();
        properties.put("isolation.level", "read_committed");
        StringDeserializer reading = new StringDeserializer();
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(properties, reading, reading)) {
            TopicPartition partition = new TopicPartition(topic, 0);
            consumer.assign(List.of(partition));
            consumer.seek(partition, from);
            ArrayNode values = Judge.JSON.createArrayNode();
            Deadline deadline = new Deadline();
            while (values.size() < count) {
                check.check();
                deadline.check(values.size() + " of " + count + " records are in " + topic);
                ConsumerRecords<String, String> records = consumer.poll(POLL);
                records.forEach(record -> values.add(record.value()));
            }
            return values;
        }
    }

    /**
     * Sets and unsets what an administrator does, {@code topic} and {@code group} (which is there and has no members) being those
     * that it may play with; they are gone in the end.
     */
    static JsonNode administer(JsonNode question) throws Exception {
        String topic = Judge.text(question, "topic");
        String group = Judge.text(question, "group");
        ConfigResource topicConfig = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        // The default of all brokers.
        ConfigResource brokerConfig = new ConfigResource(ConfigResource.Type.BROKER, "");
        AclBinding binding = new AclBinding(
                new ResourcePattern(ResourceType.TOPIC, topic, PatternType.LITERAL),
                new AccessControlEntry("User:guest", "*", AclOperation.READ, AclPermissionType.ALLOW));
        try (Admin admin = Admin.create(ClientJudge.properties(question))) {
            step("create the topic", () -> admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1))).all().get());
            // A broker learns of it later than the controller.
            Deadline deadline = new Deadline();
            while (!admin.listTopics().names().get().contains(topic)) {
                deadline.check("the topic does not appear");
                Thread.sleep(20);
            }
            step("add a partition", () -> admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(2))).all().get());
            step("configure the topic", () -> set(admin, topicConfig, "retention.ms", "60000"));
            step("configure the brokers", () -> set(admin, brokerConfig, "log.cleaner.backoff.ms", "20000"));
            step("read the configuration", () -> admin.describeConfigs(List.of(topicConfig, brokerConfig)).all().get());
            step("create an ACL", () -> admin.createAcls(List.of(binding)).all().get());
            step("list ACLs", () -> admin.describeAcls(AclBindingFilter.ANY).values().get());
            step("delete the ACL", () -> admin.deleteAcls(List.of(binding.toFilter())).all().get());
            ScramCredentialInfo scram = new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096);
            step("set a password", () -> admin.alterUserScramCredentials(
                    List.of(new UserScramCredentialUpsertion("guest", scram, "secret"))).all().get());
            deadline = new Deadline();
            while (!admin.describeUserScramCredentials().users().get().contains("guest")) {
                deadline.check("the user does not appear");
                Thread.sleep(20);
            }
            step("unset the password", () -> admin.alterUserScramCredentials(
                    List.of(new UserScramCredentialDeletion("guest", ScramMechanism.SCRAM_SHA_256))).all().get());
            step("list reassignments", () -> admin.listPartitionReassignments().reassignments().get());
            step("describe the group", () -> admin.describeConsumerGroups(List.of(group)).all().get());
            step("delete the group", () -> admin.deleteConsumerGroups(List.of(group)).all().get());
            step("delete the topic", () -> admin.deleteTopics(List.of(topic)).all().get());
            return Judge.JSON.createObjectNode();
        }
    }

    /** Looks at everything that a monitoring tool shows: {@code topic}, {@code group} and the cluster. */
    static JsonNode monitor(JsonNode question) throws Exception {
        String topic = Judge.text(question, "topic");
        String group = Judge.text(question, "group");
        List<ConfigResource> configs = List.of(
                new ConfigResource(ConfigResource.Type.TOPIC, topic), new ConfigResource(ConfigResource.Type.BROKER, "1"));
        TopicPartition partition = new TopicPartition(topic, 0);
        try (Admin admin = Admin.create(ClientJudge.properties(question))) {
            step("describe the topic", () -> admin.describeTopics(List.of(topic)).allTopicNames().get());
            if (!admin.listTopics().names().get().contains(topic)) {
                throw new IllegalStateException("the topic is not listed");
            }
            step("read the configuration", () -> admin.describeConfigs(configs).all().get());
            step("read the end of the topic", () -> admin.listOffsets(Map.of(partition, OffsetSpec.latest())).all().get());
            if (admin.listGroups().all().get().stream().noneMatch(listed -> listed.groupId().equals(group))) {
                throw new IllegalStateException("the group is not listed");
            }
            step("describe the group", () -> admin.describeConsumerGroups(List.of(group)).all().get());
            Map<TopicPartition, OffsetAndMetadata> offsets =
                    admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
            if (!offsets.containsKey(partition)) {
                throw new IllegalStateException("the group's offset is not shown: " + offsets);
            }
            step("describe the cluster", () -> admin.describeCluster().nodes().get());
            step("describe the disks", () -> admin.describeLogDirs(List.of(1)).allDescriptions().get());
            step("describe the quorum", () -> admin.describeMetadataQuorum().quorumInfo().get());
            step("list reassignments", () -> admin.listPartitionReassignments().reassignments().get());
            step("list ACLs", () -> admin.describeAcls(AclBindingFilter.ANY).values().get());
            return Judge.JSON.createObjectNode();
        }
    }

    /** {@code resource_type} and {@code resource} as in ConfigResource, {@code name}, {@code value}. */
    static JsonNode alterConfig(JsonNode question) throws Exception {
        ConfigResource.Type type = ConfigResource.Type.valueOf(Judge.text(question, "resource_type"));
        ConfigResource resource = new ConfigResource(type, Judge.text(question, "resource"));
        try (Admin admin = Admin.create(ClientJudge.properties(question))) {
            set(admin, resource, Judge.text(question, "name"), Judge.text(question, "value"));
            return Judge.JSON.createObjectNode();
        }
    }

    /** Gives {@code topic} one more partition and answers with how many it has now. */
    static JsonNode addPartition(JsonNode question) throws Exception {
        String topic = Judge.text(question, "topic");
        try (Admin admin = Admin.create(ClientJudge.properties(question))) {
            int partitions = partitions(admin, topic) + 1;
            admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(partitions))).all().get();
            return Judge.JSON.getNodeFactory().numberNode(partitions);
        }
    }

    /** Of {@code topic} the {@code partitions}, none where there is no topic, and whether {@code group} has an {@code offset} in it. */
    static JsonNode topic(JsonNode question) throws Exception {
        String topic = Judge.text(question, "topic");
        String group = Judge.text(question, "group");
        try (Admin admin = Admin.create(ClientJudge.properties(question))) {
            int partitions = partitions(admin, topic);
            boolean offset = partitions > 0
                    && admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().keySet().stream()
                            .anyMatch(partition -> partition.topic().equals(topic));
            return Judge.JSON.createObjectNode().put("partitions", partitions).put("offset", offset);
        }
    }

    private static int partitions(Admin admin, String topic) throws Exception {
        if (!admin.listTopics().names().get().contains(topic)) {
            return 0;
        }
        return admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().size();
    }

    private static void set(Admin admin, ConfigResource resource, String name, String value) throws Exception {
        AlterConfigOp operation = new AlterConfigOp(new ConfigEntry(name, value), AlterConfigOp.OpType.SET);
        admin.incrementalAlterConfigs(Map.of(resource, List.of(operation))).all().get();
    }

    /** Says which step it was that failed. */
    private static void step(String name, Check step) throws Exception {
        try {
            step.check();
        } catch (java.util.concurrent.ExecutionException failure) {
            throw new KafkaException("cannot " + name, failure.getCause());
        }
    }

    /** Ends a wait. */
    static final class Deadline {
        private final long end = System.nanoTime() + PATIENCE.toNanos();

        void check(String what) {
            if (System.nanoTime() - end > 0) {
                throw new TimeoutException(what);
            }
        }
    }

    private RolesJudge() {}
}
