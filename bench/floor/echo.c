/* The least that an agent can do: one connection at a time, one frame in, the same frame out. No check of anything. */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int all(int file, char *buffer, size_t length) {
    for (size_t done = 0; done < length;) {
        ssize_t count = read(file, buffer + done, length - done);
        if (count <= 0)
            return 0;
        done += (size_t)count;
    }
    return 1;
}

int main(int count, char **arguments) {
    static char frame[65540];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (count != 2 || strlen(arguments[1]) >= sizeof address.sun_path)
        return 2;
    strcpy(address.sun_path, arguments[1]);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096))
        return 1;
    puts("ready");
    fflush(stdout);
    for (;;) {
        int file = accept(listener, NULL, NULL);
        uint32_t size;
        if (file >= 0 && all(file, (char *)&size, 4) && ntohl(size) <= 65536) {
            memcpy(frame, &size, 4);
            if (all(file, frame + 4, ntohl(size)) && write(file, frame, ntohl(size) + 4) < 0)
                perror("write");
        }
        close(file);
    }
}
