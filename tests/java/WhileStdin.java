import java.io.IOException;
import java.util.Arrays;
import java.util.List;

/**
 * Runs another class's main and ends with its own standard input: a broker started by a test dies with the test, however that
 * ends. A {@code q} there has it leave in good order. Usage:
 * {@code java WhileStdin MAIN-CLASS ARGUMENT... [, MAIN-CLASS ARGUMENT...]...}, where several run side by side.
 */
public final class WhileStdin {
    public static void main(String[] args) throws Exception {
        Thread watchdog = new Thread(() -> {
            try {
                for (int read = System.in.read(); read >= 0; read = System.in.read()) {
                    if (read == 'q') {
                        // Not here: an end of the test must end this at once, even now.
                        new Thread(() -> System.exit(0)).start();
                    }
                }
            } catch (IOException closed) {
                // The end, too.
            }
            Runtime.getRuntime().halt(0);
        });
        watchdog.setDaemon(true);
        watchdog.start();
        List<String> words = Arrays.asList(args);
        for (int comma = words.indexOf(","); comma >= 0; comma = words.indexOf(",")) {
            List<String> command = words.subList(0, comma);
            new Thread(() -> {
                try {
                    run(command);
                } catch (ReflectiveOperationException failed) {
                    throw new IllegalStateException(failed);
                }
            }).start();
            words = words.subList(comma + 1, words.size());
        }
        run(words);
    }

    private static void run(List<String> command) throws ReflectiveOperationException {
        String[] arguments = command.subList(1, command.size()).toArray(String[]::new);
        Class.forName(command.get(0)).getMethod("main", String[].class).invoke(null, (Object) arguments);
    }

    private WhileStdin() {}
}
