# shellcheck shell=bash
# What kafka.sh adds for a broker that asks who is there: certificates, users, and listeners. Sourced, never run.
#
# Everything is made anew for each broker, is good for a year, and lies below $directory/security:
#   ca.pem            whom clients must trust; another-ca.pem is one that nobody should
#   NAME.pem NAME.key the certificate of each user (the CN is the name) and of the broker; expired.pem was good yesterday
#   NAME.password     of each user, for SCRAM-SHA-512, SCRAM-SHA-256 and PLAIN alike
# admin and whoever comes by the plain listener may do everything; the others what ACLs let them, and without ACLs nothing.

# A user for each role of deploy/kafka/acls.sh, and one that no ACL will ever name.
secure_users=(admin topics ingest detector alerter archiver producer operator monitor nobody)

# The first listener of a secure broker is plain; of the port after it and so on are these.
secure_listeners() { # secure_listeners PORT
    echo "SASL_SSL://127.0.0.1:$(($1 + 1)),MUTUAL://127.0.0.1:$(($1 + 2)),EXPIRED://127.0.0.1:$(($1 + 3))"
}

make_authority() { # make_authority NAME
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 365 -subj "/CN=Tidewatch tests, $1" \
        -keyout "$1.key" -out "$1.pem"
}

# Signed by the right authority; the days may be negative, which makes a certificate that has expired.
make_certificate() { # make_certificate NAME DAYS
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.csr" &&
        openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days "$2" -out "$1.pem" \
            -extfile <(echo "subjectAltName=IP:127.0.0.1") &&
        # What a broker wants in one file.
        cat "$1.key" "$1.pem" >"$1.pair" && rm "$1.csr"
}

make_security() {
    local user
    mkdir -p "$directory/security"
    cd "$directory/security"
    [ ! -e complete ] || return 0
    umask 077
    make_authority ca && make_authority another-ca && make_certificate broker 365 && make_certificate expired -1 || return 1
    for user in "${secure_users[@]}"; do
        make_certificate "$user" 365 && openssl rand -hex 16 >"$user.password" || return 1
    done
    touch complete
}

# The options of StorageTool that make the users of SCRAM.
scram_users() {
    local user size
    for user in "${secure_users[@]}"; do
        for size in 256 512; do
            printf -- '--add-scram SCRAM-SHA-%s=[name=%s,password=%s]\n' $size "$user" "$(cat "$directory/security/$user.password")"
        done
    done
}

secure_settings() {
    local user name modules=org.apache.kafka.common.security plain="plain.PlainLoginModule required"
    for user in "${secure_users[@]}"; do plain+=" user_$user=\"$(cat "$directory/security/$user.password")\""; done
    cat <<SETTINGS
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=false
super.users=User:admin;User:ANONYMOUS
ssl.keystore.type=PEM
ssl.keystore.location=$directory/security/broker.pair
ssl.truststore.type=PEM
ssl.truststore.location=$directory/security/ca.pem
listener.name.expired.ssl.keystore.type=PEM
listener.name.expired.ssl.keystore.location=$directory/security/expired.pair
listener.name.mutual.ssl.client.auth=required
listener.name.mutual.ssl.principal.mapping.rules=RULE:^CN=([^,]+).*\$/\$1/
# A client proves again and again who it is, so that a password which was changed keeps nobody in.
connections.max.reauth.ms=10000
SETTINGS
    for name in sasl_ssl expired; do
        cat <<SETTINGS
listener.name.$name.sasl.enabled.mechanisms=SCRAM-SHA-512,SCRAM-SHA-256,PLAIN
listener.name.$name.plain.sasl.jaas.config=$modules.$plain;
listener.name.$name.scram-sha-512.sasl.jaas.config=$modules.scram.ScramLoginModule required;
listener.name.$name.scram-sha-256.sasl.jaas.config=$modules.scram.ScramLoginModule required;
SETTINGS
    done
}
