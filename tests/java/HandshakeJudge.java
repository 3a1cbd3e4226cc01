import com.fasterxml.jackson.databind.JsonNode;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Map;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLEngineResult;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLPeerUnverifiedException;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.config.internals.BrokerSecurityConfigs;
import org.apache.kafka.common.security.ssl.DefaultSslEngineFactory;

/**
 * A TLS handshake between two engines of the JDK, made the way brokers and clients make them: by Kafka's own factory, from
 * Kafka's own {@code ssl.*} properties, so that every store format that Kafka reads is read here too.
 */
final class HandshakeJudge {
    /** One side turned the other down; the message says which side and why. */
    static final class Refused extends Exception {
        private static final long serialVersionUID = 1L;

        Refused(String side, Throwable cause) {
            super(side + ": " + root(cause), cause);
        }

        private static String root(Throwable cause) {
            return cause.getCause() == null ? String.valueOf(cause.getMessage()) : root(cause.getCause());
        }
    }

    /** {@code server} and {@code client}: properties; {@code host}: the name that the client connected to. */
    static JsonNode handshake(JsonNode question) throws Exception {
        Map<String, Object> clientConfig = config(question.get("client"));
        try (DefaultSslEngineFactory serverFactory = factory("server", config(question.get("server")));
                DefaultSslEngineFactory clientFactory = factory("client", clientConfig)) {
            SSLEngine server = serverFactory.createServerSslEngine("127.0.0.1", 0);
            SSLEngine client = clientFactory.createClientSslEngine(
                    Judge.text(question, "host"), 9093, (String) clientConfig.get("ssl.endpoint.identification.algorithm"));
            client.beginHandshake();
            server.beginHandshake();
            ByteBuffer toServer = ByteBuffer.allocate(1 << 18);
            ByteBuffer toClient = ByteBuffer.allocate(1 << 18);
            // With TLS 1.3 a server checks the client's certificate when the client is already done: data must pass both ways.
            boolean clientHeard = false;
            boolean serverHeard = false;
            for (int turn = 0; turn < 100 && !(clientHeard && serverHeard); turn++) {
                serverHeard |= turn("client", client, toServer, "server", server);
                clientHeard |= turn("server", server, toClient, "client", client);
            }
            if (!(clientHeard && serverHeard)) {
                throw new IllegalStateException("the handshake does not end");
            }
            return Judge.JSON.createObjectNode()
                    .put("protocol", client.getSession().getProtocol())
                    .put("cipher", client.getSession().getCipherSuite())
                    .put("server_subject", peer(client))
                    .put("client_subject", peer(server));
        }
    }

    /** Carries what one engine has to say to the other; true when application data arrived. */
    private static boolean turn(String from, SSLEngine sender, ByteBuffer wire, String to, SSLEngine receiver) throws Refused {
        ByteBuffer hello = ByteBuffer.wrap(new byte[] {'h', 'i'});
        ByteBuffer heard = ByteBuffer.allocate(1 << 16);
        String speaker = from;
        try {
            SSLEngineResult step;
            do {
                step = sender.wrap(hello, wire);
                runTasks(sender);
            } while (step.bytesProduced() > 0 && hello.hasRemaining());
            speaker = to;
            wire.flip();
            do {
                step = receiver.unwrap(wire, heard);
                runTasks(receiver);
            } while (step.bytesConsumed() > 0);
            // What the receiver cannot take before it has answered stays for the next turn.
            wire.compact();
        } catch (SSLException refusal) {
            throw new Refused(speaker, refusal);
        }
        return heard.position() > 0;
    }

    private static void runTasks(SSLEngine engine) {
        Runnable task;
        while ((task = engine.getDelegatedTask()) != null) {
            task.run();
        }
    }

    private static String peer(SSLEngine engine) {
        try {
            return engine.getSession().getPeerPrincipal().getName();
        } catch (SSLPeerUnverifiedException none) {
            return null;
        }
    }

    private static Map<String, Object> config(JsonNode properties) {
        Map<String, String> given = new HashMap<>();
        properties.properties().forEach(property -> given.put(property.getKey(), property.getValue().asText()));
        ConfigDef definition = new ConfigDef()
                .withClientSslSupport()
                .define(BrokerSecurityConfigs.SSL_CLIENT_AUTH_CONFIG, ConfigDef.Type.STRING, "none", ConfigDef.Importance.LOW, "");
        return definition.parse(given);
    }

    private static DefaultSslEngineFactory factory(String side, Map<String, Object> config) throws Refused {
        DefaultSslEngineFactory factory = new DefaultSslEngineFactory();
        try {
            factory.configure(config);
            return factory;
        } catch (RuntimeException unreadable) {
            factory.close();
            throw new Refused(side, unreadable);
        }
    }

    private HandshakeJudge() {}
}
