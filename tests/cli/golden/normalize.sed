# What is different each time in what the commands print for people. In tables, a replacement is as wide as what was there.
s/\r$//
s/oc1:[0-9a-f]{32}/oc1:................................/g
s,/dev/shm/onecopy-test-cli-[A-Za-z0-9]{6}/cache,/ENVIRONMENT,g
s/[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{3})?/DATE AND TIME      /g

# Processes.
s/pid [0-9]+/pid PID/g
s/thread [0-9]+/thread TID/g
s/^ +[0-9]+(  (run|onecopy)  )/     PID\1/
/^oc1:/s/  [0-9]{2,}(,[0-9]+)*$/  PIDS/

# Of the host, and how fast it is.
s/[0-9.]+ [KMGT]iB free of [0-9.]+ [KMGT]iB/FREE of SIZE/
s/^(group +)[^ ]+ +/\1GROUP  /
s/^(  took +)[0-9.]+ [num]?s$/  took                                    SPAN/
s/ +$//
