import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs Apache Kafka's command-line tools, each by its own unchanged main, one after the other in this one JVM: starting
 * one for each would take most of the tests' time. Reads a line of JSON a run, {"main", "args", "stdin", "seconds"},
 * and writes one: {"code", "out", "err"}. What a tool would exit with is its code; -1 says it was given up.
 */
public final class Tools {
    /** Unwinds a tool that exits, so that it closes what it opened. Some catch it and exit again: the first exit counts. */
    private static final class Exited extends RuntimeException {
        private static final long serialVersionUID = 1L;
    }

    /** One run: what it has said, what it does at its end as a JVM of its own would, and what it exits with. */
    private static final class Run {
        private static final long HOOK_MS_MAX = 5000;

        private final ByteArrayOutputStream out = new ByteArrayOutputStream(), err = new ByteArrayOutputStream();
        private final List<Thread> hooks = new CopyOnWriteArrayList<>();
        private volatile Map<String, Object> result;

        synchronized void ends(int code) {
            if (result != null) {
                return;
            }
            try {
                for (Thread hook : hooks) {
                    hook.start();
                    hook.join(HOOK_MS_MAX);
                }
            } catch (InterruptedException givenUp) {
                Thread.currentThread().interrupt();
            }
            result = Map.of("code", code, "out", text(out), "err", text(err));
        }

        private static String text(ByteArrayOutputStream said) {
            return said.toString(StandardCharsets.UTF_8);
        }
    }

    private static volatile Run now;

    public static void main(String[] args) throws Exception {
        ObjectMapper json = new ObjectMapper();
        PrintStream answers = System.out;
        BufferedReader orders = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        Exit.setExitProcedure((code, message) -> exit(code));
        Exit.setHaltProcedure((code, message) -> exit(code));
        Exit.setShutdownHookAdder((name, hook) -> now.hooks.add(new Thread(hook, name)));
        for (String line = orders.readLine(); line != null; line = orders.readLine()) {
            answers.println(json.writeValueAsString(run(json, json.readTree(line))));
            answers.flush();
        }
    }

    private static void exit(int code) {
        now.ends(code);
        throw new Exited();
    }

    private static Map<String, Object> run(ObjectMapper json, JsonNode order) throws InterruptedException {
        Run run = new Run();
        now = run;
        System.setIn(new ByteArrayInputStream(order.get("stdin").asText().getBytes(StandardCharsets.UTF_8)));
        System.setOut(new PrintStream(run.out, true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(run.err, true, StandardCharsets.UTF_8));
        String main = order.get("main").asText();
        String[] args = json.convertValue(order.get("args"), String[].class);
        Thread tool = new Thread(() -> run.ends(call(main, args)), main);
        tool.setDaemon(true);
        tool.start();
        tool.join(order.get("seconds").asLong() * 1000);
        run.ends(-1);
        tool.interrupt();
        return run.result;
    }

    private static int call(String main, String[] args) {
        try {
            Class.forName(main).getMethod("main", String[].class).invoke(null, (Object) args);
            return 0;
        } catch (InvocationTargetException failed) {
            failed.getCause().printStackTrace();
            return 1;
        } catch (ReflectiveOperationException absent) {
            absent.printStackTrace();
            return 127;
        }
    }
}
