import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.state.Stores;

/** A Kafka Streams application. */
final class StreamsJudge {
    /**
     * Counts the values of topic {@code from} into {@code to}, by way of a repartition topic and a store with a changelog, until
     * {@code count} results are there and what the repartition topic had is deleted. {@code witness}: the properties of a client
     * that may see all this; {@code state}: an empty directory. Answers with the results; fails with whatever ended the
     * application.
     */
    static JsonNode count(JsonNode question) throws Exception {
        Properties properties = ClientJudge.properties(question);
        String application = properties.getProperty(StreamsConfig.APPLICATION_ID_CONFIG);
        properties.put(StreamsConfig.STATE_DIR_CONFIG, Path.of(Judge.text(question, "state")).toString());
        properties.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
        properties.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
        properties.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, "100");
        properties.put(StreamsConfig.REPARTITION_PURGE_INTERVAL_MS_CONFIG, "100");
        properties.put(StreamsConfig.TASK_TIMEOUT_MS_CONFIG, "5000");
        // Its consumer's, its producer's: ClientJudge's patience is a little short for them.
        properties.remove("default.api.timeout.ms");

        StreamsBuilder builder = new StreamsBuilder();
        builder.<String, String>stream(Judge.text(question, "from"))
                .groupBy((key, value) -> value, Grouped.as("values"))
                .count(Materialized.<String, Long>as(Stores.inMemoryKeyValueStore("counts"))
                        .withKeySerde(Serdes.String())
                        .withValueSerde(Serdes.Long())
                        .withCachingDisabled())
                .toStream()
                .mapValues((value, count) -> value + "=" + count)
                .to(Judge.text(question, "to"), Produced.with(Serdes.String(), Serdes.String()));

        AtomicReference<Throwable> failure = new AtomicReference<>();
        RolesJudge.Check check = () -> {
            if (failure.get() instanceof Exception exception) {
                throw exception;
            } else if (failure.get() instanceof Error error) {
                throw error;
            }
        };
        Properties witness = new Properties();
        try (var in = java.nio.file.Files.newInputStream(Path.of(Judge.text(question, "witness")))) {
            witness.load(in);
        }
        String to = Judge.text(question, "to");
        // What an earlier run has left is no result of this one.
        long begin;
        try (Admin admin = Admin.create(witness)) {
            TopicPartition results = new TopicPartition(to, 0);
            begin = admin.listOffsets(Map.of(results, OffsetSpec.latest())).all().get().get(results).offset();
        }
        KafkaStreams streams = new KafkaStreams(builder.build(), properties);
        streams.setUncaughtExceptionHandler(thrown -> {
            failure.compareAndSet(null, thrown);
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        try {
            streams.start();
            ArrayNode counted = RolesJudge.read(witness, to, begin, question.get("count").asInt(), check);
            untilPurged(witness, new TopicPartition(application + "-values-repartition", 0), check);
            return counted;
        } finally {
            streams.close(Duration.ofSeconds(20));
        }
    }

    private static void untilPurged(Properties witness, TopicPartition repartition, RolesJudge.Check check)
            throws Exception {
        RolesJudge.Deadline deadline = new RolesJudge.Deadline();
        try (Admin admin = Admin.create(witness)) {
            while (admin.listOffsets(Map.of(repartition, OffsetSpec.earliest())).all().get().get(repartition).offset() == 0) {
                check.check();
                deadline.check("nothing of " + repartition + " is deleted");
                Thread.sleep(50);
            }
        }
    }

    private StreamsJudge() {}
}
